"""A learner's own copy of the course: laid out once, never over what is there."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from labkit import resources
from labkit.settings import SettingsError
from labkit.settings.validators import shown

OWN = ".labkit"  # what the copy itself needs: JupyterLab does not show it
_SHIPPED = "shipped.json"


def names() -> list[str]:
    """The files of all notebooks, in their order."""
    return sorted(file.name for file in resources.notebooks().glob("*.ipynb"))


def named(word: str) -> str | None:
    """The notebook that a word means: "3", "03" or its name; None if it means none.

    SettingsError for a number that no notebook has.
    """
    for name in names():
        number, stem = name.partition("-")[0], name.removesuffix(".ipynb")
        if word in (name, stem) or word.zfill(2) == number:
            return name
    if re.fullmatch(r"\d{1,3}", word):
        there = ", ".join(name.partition("-")[0] for name in names())
        raise SettingsError(f"there is no notebook {word}; there are: {there}")
    return None


@dataclass(frozen=True, slots=True)
class Course:
    """The copy in a folder; every method raises SettingsError if it cannot write."""

    folder: Path

    def lay_out(self) -> list[str]:
        """Put there what is missing; returns the notebooks that were."""
        self._make(self.folder)
        self._make(self.folder / OWN)
        missing = [name for name in names() if not (self.folder / name).exists()]
        for name in missing:
            self._bring(name)
        for source in _files(resources.data("")):
            target = self.folder / "data" / source.relative_to(resources.data(""))
            if not target.exists():
                self._make(target.parent)
                self._write(target, source.read_bytes())
        return missing

    def bring_back(self, name: str) -> Path | None:
        """A notebook as it was shipped; returns where the old one is kept, if it is."""
        old = self.folder / name
        if not old.exists() or old.read_bytes() == _own(name).encode():
            self._bring(name)
            return None
        kept = next(path for path in _beside(old) if not path.exists())
        try:
            old.rename(kept)
        except OSError as error:
            raise self._refused(error) from None
        self._bring(name)
        return kept

    def outdated(self) -> list[str]:
        """The notebooks of which another text has been shipped since."""
        then = self._shipped()
        return [name for name in names() if then.get(name, _sum(name)) != _sum(name)]

    def _bring(self, name: str) -> None:
        text = _own(name)
        self._write(self.folder / name, text.encode())
        shipped = {**self._shipped(), name: _sum(name)}
        self._write(self.folder / OWN / _SHIPPED, json.dumps(shipped).encode())
        _trust(text)

    def _shipped(self) -> Mapping[str, str]:
        try:
            found = json.loads((self.folder / OWN / _SHIPPED).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(13, "permission denied")
        except FileExistsError:
            raise SettingsError(f"{folder} is a file; {_ELSEWHERE}") from None
        except OSError as error:
            raise self._refused(error) from None

    def _write(self, target: Path, content: bytes) -> None:
        """All of it or nothing: a half notebook would be taken for the learner's."""
        half = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            half.write_bytes(content)
            half.replace(target)
        except OSError as error:
            half.unlink(missing_ok=True)
            raise self._refused(error) from None

    def _refused(self, error: OSError) -> SettingsError:
        reason = (error.strerror or str(error)).lower()
        return SettingsError(f"cannot write to {self.folder}: {reason}; {_ELSEWHERE}")


_ELSEWHERE = "labkit start FOLDER takes a folder of your own"


def default_folder() -> Path:
    """Where the course lies if nobody says otherwise; SettingsError without a home."""
    try:
        return Path.home() / "labkit-course"
    except RuntimeError:
        raise SettingsError(f"nobody knows your home folder; {_ELSEWHERE}") from None


def folder_named(word: str) -> Path:
    """A folder as it is written on a command line."""
    if not word or "\0" in word:
        raise SettingsError(f"no folder can be called {shown(word)}")
    return Path(os.path.abspath(Path(word).expanduser()))


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file())


def _beside(path: Path) -> Iterator[Path]:
    yield path.with_suffix(".old.ipynb")
    for number in itertools.count(2):
        yield path.with_suffix(f".old-{number}.ipynb")


def _sum(name: str) -> str:
    return hashlib.sha256((resources.notebooks() / name).read_bytes()).hexdigest()


def _own(name: str) -> str:
    """A notebook as JupyterLab would write it here, so that to open it changes nothing.

    The kernel's name and Python's version are this machine's; links to data go to the
    folder beside the notebooks.
    """
    notebook = json.loads((resources.notebooks() / name).read_text("utf-8"))
    notebook["metadata"]["kernelspec"]["display_name"] = _kernel_name()
    notebook["metadata"]["language_info"]["version"] = platform.python_version()
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = [line.replace("](../", "](") for line in cell["source"]]
    return written(notebook)


def written(notebook: Mapping[str, Any]) -> str:
    """The text of a notebook as nbformat writes it."""
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


@cache
def _kernel_name() -> str:
    """What this Python's kernel is called here."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        return str(KernelSpecManager().get_kernel_spec("python3").display_name)
    except NoSuchKernel:
        return "Python 3 (ipykernel)"


def _trust(text: str) -> None:
    """Sign a notebook of ours, so that JupyterLab shows all of its outputs."""
    import nbformat
    from nbformat.sign import NotebookNotary

    try:
        notary = NotebookNotary()
        notary.sign(nbformat.reads(text, as_version=4))
        notary.store.close()
    except OSError:  # a home without room: unsigned it can be read as well
        return

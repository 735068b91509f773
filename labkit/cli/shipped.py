"""``labkit scenarios`` and ``labkit copy``: what comes with the lab."""

from __future__ import annotations

import shutil
import textwrap
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from labkit.resources import access_logs, scenario_file, shipped
from labkit.settings import SettingsError

_NARROWEST, _WIDEST = 100, 140  # letters of a line, after the terminal's width


def scenarios(arguments: Namespace) -> int:
    """Every scenario by its name, with a line of what it shows."""
    wide = max(map(len, shipped())) + 2
    screen = shutil.get_terminal_size((_WIDEST, 0)).columns
    line = min(max(screen, _NARROWEST), _WIDEST)
    for name, file in shipped().items():
        print(f"{name:{wide}}{purpose(file, line - wide)}")
    print(f"\naccess logs for --gaps-from: {', '.join(access_logs())}")
    print("labkit run NAME runs a scenario, labkit copy NAME gives you the file.")
    return 0


def purpose(file: Path, wide: int) -> str:
    """How the comment begins with which a scenario opens."""
    comment = " ".join(_comment(file))
    return textwrap.shorten(comment, wide, placeholder=" ...")


def _comment(file: Path) -> Iterator[str]:
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            return
        yield line.removeprefix("#").strip()


def copy(arguments: Namespace) -> int:
    """A file of the learner's own; nothing that is there is written over."""
    name = arguments.name
    source = access_logs().get(name) or scenario_file(name.removesuffix(".toml"))
    target = Path(arguments.to)
    if target.is_dir() or arguments.to.endswith("/"):
        target = target / source.name
    _write(target, source.read_bytes())
    use = "labkit run" if source.suffix == ".toml" else "labkit run FILE --gaps-from"
    print(f"copied to {target}: {use} {target}")
    return 0


def _write(target: Path, content: bytes) -> None:
    try:
        with target.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise SettingsError(f"{target} exists; allowed: a new name") from None
    except ValueError:
        raise SettingsError(f"no file can be called {str(target)!r}") from None

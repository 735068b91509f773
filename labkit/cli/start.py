"""``labkit start``: JupyterLab on a copy of the course that is the learner's own."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from labkit.cli import course, jupyter
from labkit.cli.course import Course
from labkit.settings import SettingsError


def start(arguments: Namespace) -> int:
    """Lay the course out, say where, and open it; returns the exit status."""
    folder, name = chosen(arguments.what)
    copy = Course(folder)
    new = copy.lay_out()
    print(f"Your copy of the course: {folder}{_news(copy, new)}")
    if arguments.fresh is not None:
        name = _brought_back(copy, arguments.fresh, new)
    address = jupyter.running(folder, name)
    if address is not None:
        print(f"JupyterLab serves it already: open {address}")
        return 0
    return jupyter.serve(folder, name, [*_own_words(arguments), *arguments.passed_on])


def chosen(what: Sequence[str]) -> tuple[Path, str]:
    """The folder and the notebook that the words name; SettingsError for more."""
    folders, notebooks = [], []
    for word in what:
        name = None if Path(word).is_dir() else course.named(word)
        if name is None:
            folders.append(course.folder_named(word))
        else:
            notebooks.append(name)
    if len(folders) > 1 or len(notebooks) > 1:
        raise SettingsError(
            f"start {' '.join(what)}: allowed are one folder and one notebook"
        )
    folder = folders[0] if folders else course.default_folder()
    return folder, notebooks[0] if notebooks else course.names()[0]


def _news(copy: Course, new: Sequence[str]) -> str:
    if new:
        return " (new)" if len(new) == len(course.names()) else f" (+ {', '.join(new)})"
    numbers = ", ".join(name.partition("-")[0] for name in copy.outdated())
    again = "labkit start --fresh NN brings it, and keeps yours beside"
    return f"; there is a newer text of {numbers}: {again}" if numbers else ""


def _brought_back(copy: Course, word: str, new: Sequence[str]) -> str:
    name = course.named(word)
    if name is None:
        raise SettingsError(f"--fresh {word}; allowed: {', '.join(course.names())}")
    kept = None if name in new else copy.bring_back(name)
    print(f"{name} is as it was shipped" + (f"; yours: {kept}" if kept else ""))
    return name


def _own_words(arguments: Namespace) -> list[str]:
    words = ["--no-browser"] if arguments.no_browser else []
    if arguments.port is None:
        return words
    if not 0 <= arguments.port <= 65535:
        raise SettingsError(f"--port {arguments.port}; allowed: 0 to 65535")
    return [*words, f"--port={arguments.port}", "--ServerApp.port_retries=0"]

"""What a notebook shows of an exception: one line, if it is ours or nobody's mistake.

A learner's own exception keeps its lines; those of labkit between them are left out.
``%tb`` shows everything. Nothing happens where another handler is in place already.
"""

from __future__ import annotations

import ast
import asyncio
import json
import sys
from collections.abc import Iterator
from functools import cache
from types import TracebackType
from typing import Any

_PACKAGE = "labkit"
# An interrupted await is cancelled.
_STOPPED = (KeyboardInterrupt, asyncio.CancelledError)
_ABOVE = "run the cells above first (menu Run, Run All Above Selected Cell)"


def register() -> None:
    """Let the running IPython, if there is one, show exceptions so."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None and not shell.custom_exceptions:
        shell.set_custom_exc((Exception, *_STOPPED), _show)


def _show(
    shell: Any, kind: type[BaseException], error: BaseException, tb: Any, tb_offset: Any
) -> None:
    """As IPython calls it: show the error in one line, or as IPython itself would."""
    frames = list(_frames(tb))
    line = one_line(error, frames, shell.user_ns)
    if line is None:
        shell.showtraceback((kind, error, _without_ours(frames)))
    else:
        shell._showtraceback(kind, error, [line])
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, tb


def one_line(
    error: BaseException, frames: list[TracebackType], cell: dict[str, Any]
) -> str | None:
    """The line to show in place of a traceback; None if it is the learner's own.

    ``cell`` is the namespace in which cells run.
    """
    own = [tb for tb in frames if tb.tb_frame.f_globals is cell]
    inner = frames[frames.index(own[-1]) + 1 :] if own else frames
    named = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if isinstance(error, _STOPPED):
        return f"stopped{_at(own)}"
    if type(error).__module__.partition(".")[0] == _PACKAGE:
        return named
    if isinstance(error, NameError) and not inner and error.name in _course_names():
        return f"NameError: {error.name} is not there yet: {_ABOVE}"
    if isinstance(error, FileNotFoundError) and error.filename == "curl":
        return f"{_NO_CURL}{_at(own)}"
    if any(map(_is_ours, inner)):
        return f"{named}{_at(own)}; %tb shows where"
    return None


_NO_CURL = (
    "curl is not installed here; in Python: "
    'urllib.request.urlopen(lab.urls["proxy"]).status'
)


def _frames(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _is_ours(tb: TracebackType) -> bool:
    return str(tb.tb_frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE


def _at(own: list[TracebackType]) -> str:
    return f" (line {own[-1].tb_lineno} of the cell)" if own else ""


def _without_ours(frames: list[TracebackType]) -> TracebackType | None:
    kept: TracebackType | None = None
    for tb in reversed(frames):
        if not _is_ours(tb):
            kept = TracebackType(kept, tb.tb_frame, tb.tb_lasti, tb.tb_lineno)
    return kept


@cache
def _course_names() -> frozenset[str]:
    """All names that the cells of the course's notebooks define or import."""
    from labkit import resources
    from labkit.settings import SettingsError

    try:
        files = sorted(resources.notebooks().glob("*.ipynb"))
    except SettingsError:
        return frozenset({_PACKAGE})
    return frozenset(
        name for file in files for name in _defined(file.read_text("utf-8"))
    )


def _defined(notebook: str) -> Iterator[str]:
    for cell in json.loads(notebook)["cells"]:
        if cell["cell_type"] == "code":
            yield from _bound("".join(cell["source"]))


def _bound(code: str) -> Iterator[str]:
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a magic, or a task that is left to the learner
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]

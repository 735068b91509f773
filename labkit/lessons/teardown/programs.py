"""Programs that learners write: watched while they play, told where they went wrong."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from labkit.lessons.answers import Refused, shown_error
from labkit.lessons.teardown.peer import Peer, Restless

_TAKES = {
    "write": "data",
    "read": "",
    "ready": "seconds",
    "wait": "seconds",
    "linger": "seconds",
}


def require(program: object, name: str, *takes: str) -> None:
    """Refuse what can be no program that takes these arguments."""
    shape = f"`async def {name}({', '.join(takes)}):`"
    if not callable(program) or isinstance(program, type):
        kind = type(program).__name__
        raise Refused(
            f"The {name} is a {kind}; allowed is a coroutine function, {shape}."
        )
    # A callable without a signature, such as some of C, is tried as it is.
    with suppress(ValueError):
        try:
            inspect.signature(program).bind(*takes)
        except TypeError:
            told = f"The {name} takes other arguments; allowed is {shape}."
            raise Refused(told) from None


class Watched:
    """A learner's program as one that may be played, and what became of it.

    Whatever it raises is the end of the program and no more, as with a process that
    dies: its kernel then closes its socket. ``death`` keeps the exception.
    """

    def __init__(self, program: Callable[..., Any], name: str) -> None:
        self.name = name
        self.death: BaseException | None = None
        self.is_plain = False
        self._program = program
        self._peer: Peer | None = None

    async def __call__(self, me: Peer, *args: object) -> object:
        self._peer = me
        try:
            call = self._program(me, *args)
            self.is_plain = not inspect.isawaitable(call)
            return None if self.is_plain else await call
        except (Exception, SystemExit, asyncio.CancelledError, Restless) as error:
            self.death = error
            return None

    @property
    def calls(self) -> list[str]:
        """The names of its calls, in order."""
        return self._peer.calls if self._peer else []

    @property
    def wrote(self) -> int:
        """How many bytes its kernel took."""
        return self._peer.wrote if self._peer else 0

    def ended(self) -> str:
        """What it raised and in which of its lines, as a sentence; "" for nothing."""
        error = self.death
        # A play that never ends is called off, which is no fault of the program; what
        # a call of the peer raised, the story of the connection tells already.
        if error is None or isinstance(error, asyncio.CancelledError):
            return ""
        if isinstance(error, OSError) and self._was_noted():
            return ""
        return f"Your {self.name} ended with {shown_error(error)}{self._where(error)}."

    def unawaited(self) -> str:
        """Which of its calls nobody awaited, as sentences; "" for none."""
        forgotten = dict.fromkeys(self._peer.forgotten() if self._peer else [])
        if self.is_plain:
            return (
                f"Your {self.name} is a plain function: begin it with `async def` and "
                "await its calls."
            )
        return " ".join(
            f"Your {self.name} calls me.{call}() without await, and so it does "
            f"nothing: write `await me.{call}({_TAKES[call]})`."
            for call in forgotten
        )

    def _was_noted(self) -> bool:
        return self._peer is not None and any(n.is_bad for n in self._peer.notes)

    def _where(self, error: BaseException) -> str:
        """The learner's own line that was being carried out."""
        code = getattr(self._program, "__code__", None)
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f for f in frames if code and f.filename == code.co_filename]
        if not lines:
            return ""
        told = f": `{lines[-1].line}`" if lines[-1].line else ""
        return f", in line {lines[-1].lineno}{told}"

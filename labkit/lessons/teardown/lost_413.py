"""Exercise 1 of how a connection dies: the 413 that gets lost."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NoReturn

from labkit.clock import Deadlock, HorizonPassed
from labkit.lessons.answers import Refused
from labkit.lessons.teardown.plays import PIECE, TOO_LARGE, upload
from labkit.lessons.teardown.programs import Watched, require
from labkit.lessons.teardown.two_programs import span
from labkit.lessons.verdict import Verdict, check
from labkit.records.tcp_states import CLIENT, SERVER
from labkit.records.teardown import Note, Teardown
from labkit.records.trace import Direction, Kind

# What a learner wrote; what is no program gets a sentence.
Code = Callable[..., Any]
# How many pieces the bodies of the check have, and one way down its wires in seconds.
# At the pace of the page, 15 ms a piece, the longest takes 3.75 s to send.
SHORTEST, LONGEST = 8, 250
NEAREST, FARTHEST = 0.002, 0.065
# A body that no kernel takes in at once, for clients that neither pause nor look.
_HUGE = 2000
_PACE = 0.005  # seconds a piece: whoever is faster does not pause


@check
def check_upload(client: Code, server: Code) -> Verdict:
    """Does the client read the whole 413, on wires and with bodies never seen?

    Either program may have been changed, in any way.
    """
    require(client, "client", "me", "body")
    require(server, "server", "me")
    for pieces, delay in _uploads():
        tried = _Upload(client, server, pieces, delay)
        if tried.is_hurried:
            # What fits into the buffers of two kernels is sent before it is refused.
            _Upload(client, server, _HUGE, delay)
    return Verdict(True, _SAVED + (_LATE if tried.reads_late else ""))


_SAVED = "The client read the whole 413, on every wire and with every body tried."
_LATE = (
    " It read after its write had failed: a plain socket on Linux allows that, most "
    "HTTP libraries have thrown the connection away by then, answer included."
)


def _uploads() -> Iterator[tuple[int, float]]:
    """Pieces of the body and delay of the wire: the ends of both, and some between."""
    yield from itertools.product((LONGEST, SHORTEST), (0.02, NEAREST, FARTHEST))
    chance = random.Random(413)
    for _ in range(3):
        delay = NEAREST * (FARTHEST / NEAREST) ** chance.random()
        yield chance.randrange(SHORTEST, LONGEST), round(delay, 4)


class _Upload:
    """One play of the exercise; Refused if its client did not read the whole 413."""

    def __init__(self, client: Code, server: Code, pieces: int, delay: float) -> None:
        self._programs = (Watched(client, "client"), Watched(server, "server"))
        self._pieces = pieces
        self._where = f"With {pieces} pieces, {span(delay)} each way"
        self._told: Teardown | None = None
        with suppress(Deadlock, HorizonPassed):
            self._told = upload(*self._programs, pieces, delay)
        self._mute = _each(program.unawaited() for program in self._programs)
        self._require()

    def _require(self) -> None:
        told = self._told
        if told is None:
            self._refuse("the play never ends.", _ENDLESS)
        if TOO_LARGE in told.heard[0]:
            return
        if not told.heard[1]:
            self._refuse("the server read nothing that it could refuse.", "")
        if b" 413 " in told.heard[0]:
            self._refuse(
                "the client read another 413 than teardown.TOO_LARGE.",
                "The check looks for the very bytes of teardown.TOO_LARGE.",
            )
        read = f"read {len(told.heard[0])} of the {len(TOO_LARGE)} bytes of the 413"
        bad = next((n for n in told.failures if n.side == CLIENT), None)
        end = f", then: {bad.words}" if bad else ""
        self._refuse(f"the client {read}{end}.", _hint(told, bad))

    def _refuse(self, what: str, hint: str) -> NoReturn:
        """A mistake in a program itself comes before what follows from it."""
        ended = _each(program.ended() for program in self._programs)
        message = f"{self._where} {what} {ended}".strip()
        raise Refused(message, self._mute or ("" if ended else hint))

    @property
    def is_hurried(self) -> bool:
        """Did the client write the whole body and neither pause nor look meanwhile?"""
        notes = self._told.notes if self._told else ()
        times = [n.at for n in notes if (n.side, n.words) == (CLIENT, "write: ok")]
        whole = self._programs[0].wrote >= self._pieces * len(PIECE)
        looked = {"read", "ready"} & set(self._programs[0].calls[: len(times)])
        return whole and not looked and times[-1] - times[0] < _PACE * self._pieces

    @property
    def reads_late(self) -> bool:
        """Was the 413 read after a write had failed?"""
        told = self._told.told(CLIENT) if self._told else []
        failed = next((n for n, words in enumerate(told) if words in _FAILED), None)
        return failed is not None and "reads 413" in told[failed:]


_FAILED = ("write: broken pipe", "write: connection reset")
_ENDLESS = "One of the programs waits for something that the other will not send."


def _each(sentences: Iterable[str]) -> str:
    """Those that say something, side by side."""
    return " ".join(filter(None, sentences))


def _hint(told: Teardown, bad: Note | None) -> str:
    """Where the 413 lay, when the connection broke, and who could have prevented it."""
    arrived = _answer_arrived(told)
    if arrived is None:
        return "No answer ever left the server."
    if bad is None:
        return "The client ended without reading what had arrived."
    return f"{_lay(arrived, bad)} {_why_reset(told)}".strip()


def _answer_arrived(told: Teardown) -> float | None:
    """When the server's answer was in the client's kernel; None if never."""
    answers = (
        e.arrived
        for e in told.trace
        if e.direction is Direction.DOWNSTREAM and e.first_line.startswith("HTTP/")
    )
    return next(answers, None)


def _lay(arrived: float, bad: Note) -> str:
    if arrived > bad.at:
        return f"The connection broke at {span(bad.at)}, before the 413 could arrive."
    return (
        f"The 413 lay in your client's kernel from {span(arrived)} on; the client went "
        f"on until {span(bad.at)}, when its {bad.words.split(':')[0]} failed, and had "
        "not read it."
    )


def _why_reset(told: Teardown) -> str:
    """Why the server's kernel sent RST, from what its program did last."""
    reset = next((e for e in told.trace if e.kind is Kind.RST), None)
    ends = (n for n in told.notes if n.side == SERVER and n.words in _ENDS)
    closed = next((n.at for n in ends), told.ended)
    if reset is None:
        return ""
    if "resets" in told.told(SERVER):
        return "Your server called me.reset(), and that sends RST at once."
    if any(n.words.startswith("threw away") for n in told.notes):
        return (
            f"The server lingered, but only until {span(closed)}: what came later "
            "was answered by RST. It would have to wait until the client is done."
        )
    why = (
        "The RST was the server's answer to bytes that came after it had closed at "
        f"{span(closed)}."
    )
    if reset.sent <= closed + _SAME:
        why = f"The server closed at {span(closed)} with bytes that it had not read."
    return (
        f"{why} Either the client looks before each write (me.ready), or the server "
        "goes on reading until the client is done (me.linger)."
    )


_ENDS = ("closes", "exits", "resets")
_SAME = 1e-9  # seconds: at the same moment

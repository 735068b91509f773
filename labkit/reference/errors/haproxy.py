"""HAProxy: the termination state of a log line, two letters of which each counts.

The first says who ended the session, the second when. Source: HAProxy's configuration
manual, section "Session state at disconnection" (2.6): in the stages R, Q, C and T
nothing had been sent to a server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from labkit.reference.errors.explanation import Executed, KnownError, Verdict, entry
from labkit.reference.errors.fields import every, pattern
from labkit.reference.errors.pasted import Pasted
from labkit.reference.errors.phrases import Finding, Rank

PROGRAM = "HAProxy"
SOURCE = 'HAProxy configuration manual, "Session state at disconnection"'
LONG_MILLISECONDS = 1000

_WHO: Mapping[str, str] = {
    "C": "The client aborted",
    "S": "The server aborted or refused",
    "P": "HAProxy itself ended the session (a limit, a rule, an invalid message)",
    "L": "HAProxy answered by itself",
    "R": "A resource of HAProxy's was used up (memory, sockets, ports)",
    "I": "HAProxy found an internal error",
    "D": "HAProxy ended the session because the server was marked down",
    "U": "HAProxy ended the session on a backup server because a main one came up",
    "K": "An administrator ended the session",
    "c": "The client was silent for its time limit",
    "s": "The server side's time limit passed",
}
_WHEN: Mapping[str, tuple[str, Executed]] = {
    "R": ("before the request was complete", "no"),
    "Q": ("while the request waited in the queue", "no"),
    "C": ("while HAProxy was connecting to the server", "no"),
    "H": ("while HAProxy waited for the headers of the response", "unknown"),
    "D": ("while data was under way", "yes"),
    "L": ("while the last data went to the client", "yes"),
    "T": ("while the request was held back (tarpit)", "no"),
    "-": ("after the transfer", "unknown"),
}
# Whose end means what at every stage; exceptions below.
_VERDICTS: Mapping[str, Verdict] = {
    "C": "client-left",
    "S": "cut",
    "P": "malformed",
    "L": "unclear",
    "R": "overflow",
    "I": "unclear",
    "D": "reset",
    "U": "restart",
    "K": "restart",
    "c": "timeout",
    "s": "timeout",
}
_EXCEPTIONS: Mapping[str, Verdict] = {
    "SC": "connect",
    "SQ": "connect",
    "SR": "unclear",
    "SH": "race",
    "sC": "connect",
    "sQ": "overflow",
    "PC": "overflow",
    "PQ": "overflow",
    "PT": "unclear",
    "DC": "connect",
    "DQ": "connect",
    "DD": "cut",
    "DL": "cut",
    "UD": "cut",
    "KD": "cut",
    "cD": "client-left",
    "cL": "client-left",
}
_BEFORE_ANY_TRY = frozenset("RT")
_FRONT = "the one in front of it: its own client"
# In the stage of data a client that leaves says nothing of the server's work.
_UNKNOWN = frozenset({"CD", "cD"})

_QUESTION_LETTERS = 120
_ITS_NAMES = ("haproxy", "termination st")
_TWO = r"([CSPLRIDUKcs])([RQCHDLT-])"
_COOKIES = r"[NIDVUEO-][NIUPRD-]"
_COUNTS = r"\d{1,9}/\d{1,9}/\d{1,9}/\d{1,9}/\+?\d{1,9}"
_IN_LINE = re.compile(rf"(?<=[ |]){_TWO}(?:{_COOKIES})?(?= {_COUNTS})")
_DASHED = re.compile(rf"(?<![\w./-]){_TWO}--(?![\w-])")
_AS_FIELD = pattern(
    r"termination[_ ]?(?:state|code)|term_state|tsc?", rf"{_TWO}(?:{_COOKIES})?(?!\w)"
)
_NAMED = re.compile(rf"(?<![\w./-]){_TWO}(?:{_COOKIES})?(?![\w./-])")
_TIMES = re.compile(
    r"(-?\d{1,9})/(-?\d{1,9})/(-?\d{1,9})/(-?\d{1,9})/\+?(\d{1,9}) "
    r"-?\d{1,4} \+?\d{1,15} "
)


def findings(pasted: Pasted) -> Iterator[Finding]:
    """All termination states in a text, each in its place."""
    text = pasted.flat
    for searched in (_IN_LINE, _DASHED, _AS_FIELD):
        for match in every(searched, text):
            state = _state(match)
            yield Finding(Rank.FIELD, match.start(), _entry(state, text, match.start()))
    short = len(text) <= _QUESTION_LETTERS
    if short and any(words in pasted.lowered for words in _ITS_NAMES):
        yield from _named(text)
    alone = re.fullmatch(rf"{_TWO}(?:{_COOKIES})?", text)
    if alone:
        yield Finding(Rank.WORDS, 0, _entry(alone[1] + alone[2], text, 0))


def _state(match: re.Match[str]) -> str:
    *_, who, when = match.groups()
    return f"{who}{when}"


def _named(text: str) -> Iterator[Finding]:
    """Two letters somewhere in a short text that speaks of HAProxy."""
    for match in every(_NAMED, text):
        known = _entry(match[1] + match[2], text, match.start())
        yield Finding(Rank.WORDS, match.start(), known)


def _entry(state: str, text: str, at: int) -> KnownError:
    who, when = state[0], state[1]
    words, executed = _WHEN[when]
    verdict = _EXCEPTIONS.get(state, _VERDICTS[who])
    if verdict == "race":
        return _of_a_race(text, at)
    return entry(
        PROGRAM,
        verdict,
        "proxy",
        executed="unknown" if state in _UNKNOWN else executed,
        hop=_hop(who, when),
        cause=f"{_WHO[who]} {words} ({state}).",
        sources=SOURCE,
        scope="request" if when in _BEFORE_ANY_TRY else None,
    )


def _hop(who: str, when: str) -> str:
    """Where a session ended before any server was chosen; empty: as of its verdict."""
    if when not in _BEFORE_ANY_TRY:
        return ""
    return _FRONT if who in "CcP" else "none: HAProxy itself"


def _of_a_race(text: str, at: int) -> KnownError:
    """SH: ended by the server before its headers; the times tell race from crash."""
    took = _waited(text, at)
    verdict: Verdict = "race" if took is None or took < LONG_MILLISECONDS else "died"
    return entry(
        PROGRAM,
        verdict,
        "proxy",
        hop="HAProxy to its server",
        more="HAProxy logs SH for a fresh client connection only; where the client's "
        "connection had carried a request, it closes that one without a line in the "
        "log and leaves it to the client.",
        sources=f"{SOURCE}; haproxy 3414",
    )


def _waited(text: str, at: int) -> int | None:
    """Milliseconds from the connection to the end, out of the line's five times."""
    times = list(_TIMES.finditer(text, max(0, at - 200), at))
    if not times:
        return None
    *before, total = map(int, times[-1].groups())
    return total - sum(max(0, each) for each in before)

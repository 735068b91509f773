"""AWS load balancers: the three times and two statuses of an access log line.

Times are seconds: from the client's request to the target, at the target, and back.
``-1`` means that this stage was not reached or had no end; AWS's field reference gives
it also to a target that closed early or did not answer before the idle timeout. A
target that worked for seconds before the connection ended did not race (0.001 4.205 -1
is a crash's line).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labkit.reference.errors.explanation import (
    Executed,
    KnownError,
    Scope,
    Verdict,
    entry,
)
from labkit.reference.errors.fields import every, number, pattern
from labkit.reference.errors.pasted import Pasted
from labkit.reference.errors.phrases import Finding, Rank

PROGRAM = "AWS ALB"
LONG_SECONDS = 1.0
_HOP = "balancer to target"
_RACE_HOP = (
    "balancer to target: its idle timeout (60 s by default) against the target's "
    "keep-alive"
)
_SOURCE = "Envoy issue 13388 (502 on an ALB when the rate drops)"

_HOST = r"(?:\[?[0-9a-fA-F.:]{2,45}\]?:\d{1,5}|-)"
_TIME = r"(-1|\d{1,6}(?:\.\d{1,9})?)"
_LINE = re.compile(
    rf"(?<= ){_HOST} {_HOST} {_TIME} {_TIME} {_TIME} (\d{{3}}|-) (\d{{3}}|0|-)(?= |$)"
)
_BALANCERS = pattern("elb_status_code", r"\d{3}")
_TARGETS = pattern("(?:target|backend)_status_code", r"\d{3}|0|-")


@dataclass(frozen=True, slots=True)
class _Line:
    """Seconds and statuses; None for what the line does not say."""

    status: int
    target: str
    at_target: float | None = None
    was_sent: bool = True


_FRONT_HOP = "client to balancer"
_FRONT = frozenset({400, 408, 460, 463, 464, 561})
# Statuses that the balancer makes itself: verdict, executed, cause.
_OWN: Mapping[int, tuple[Verdict, Executed | None, str]] = {
    400: ("malformed", "no", "The client's request was no valid HTTP."),
    408: ("client-left", None, "The client sent no data before its time limit."),
    460: ("client-left", None, "The client closed before the balancer's idle timeout."),
    463: ("malformed", "no", "The X-Forwarded-For header was malformed or too long."),
    464: ("malformed", "no", "The protocol does not fit the target group."),
    500: ("unclear", None, ""),
    503: ("connect", None, "The target group has no registered target."),
    504: ("timeout", None, ""),
    561: ("unclear", "no", "The identity provider answered with an error."),
}


def findings(pasted: Pasted) -> Iterator[Finding]:
    """All failures that lines of a balancer's log tell."""
    for at, line in _lines(pasted):
        known = _entry(line)
        if known is not None:
            yield Finding(Rank.FIELD, at, known)


def _lines(pasted: Pasted) -> Iterator[tuple[int, _Line]]:
    for match in every(_LINE, pasted.flat):
        request, target, _ = map(float, match.group(1, 2, 3))
        was_sent = (request, target) != (-1, -1)
        if match[4] != "-":
            yield match.start(), _Line(int(match[4]), match[5], target, was_sent)
    for match in every(_BALANCERS, pasted.flat):
        yield match.start(), _of_fields(match, pasted)


def _of_fields(match: re.Match[str], pasted: Pasted) -> _Line:
    at = match.start()
    start, end = pasted.record(at)[0]
    target = _TARGETS.search(pasted.flat, start, end)
    took = number("target_processing_time|backend_processing_time", pasted, at)
    sent = number("request_processing_time", pasted, at)
    was_sent = (took, sent) != (-1, -1)
    return _Line(int(match[1]), target[1] if target else "-", took, was_sent)


def _entry(line: _Line) -> KnownError | None:
    if line.status < 400:
        return None
    if line.target not in ("-", "0"):
        return _answered(line)
    if not line.was_sent and line.status in (502, 504):
        return _without_times(line.status)
    if line.status == 502:
        return _of_502(line)
    return _own(line.status)


def _own(status: int) -> KnownError:
    verdict, executed, cause = _OWN.get(status, ("unclear", None, ""))
    is_front = status in _FRONT
    hop = _FRONT_HOP if is_front else _HOP
    scope: Scope | None = "request" if is_front else None
    return entry(PROGRAM, verdict, executed=executed, hop=hop, cause=cause, scope=scope)


_NO_TIMES = (
    "AWS's field reference gives -1 also where the target closed the connection early "
    "or did not answer before the idle timeout: look at the target."
)


def _without_times(status: int) -> KnownError:
    """All times are -1: mostly no connection, but the field does not prove it."""
    if status == 504:
        cause = "No connection in time, or no answer in time; the line does not tell."
        return entry(PROGRAM, "timeout", hop=_HOP, cause=f"{cause} {_NO_TIMES}")
    cause = (
        "All times are -1: mostly no connection could be made, or the client's request "
        "was malformed."
    )
    return entry(PROGRAM, "connect", hop=_HOP, cause=f"{cause} {_NO_TIMES}")


# What the balancer's own status says of an answer that had come from the target.
_AFTER_ANSWER: Mapping[int, tuple[Verdict, str]] = {
    460: ("client-left", "Then the client closed its connection."),
    502: ("malformed", "The balancer could not use the answer."),
    504: ("timeout", "The rest of the answer did not come in time."),
}
_ANOTHER_STATUS: tuple[Verdict, str] = (
    "unclear",
    "The balancer answered with another status of its own.",
)


def _answered(line: _Line) -> KnownError:
    """The target had a status; it may differ from what the balancer sent on."""
    if str(line.status) == line.target or line.target >= "500":
        return _from_target()
    verdict, words = _AFTER_ANSWER.get(line.status, _ANOTHER_STATUS)
    cause = f"The target answered {line.target}. {words}"
    hop = _FRONT_HOP if verdict == "client-left" else _HOP
    return entry(PROGRAM, verdict, executed="yes", hop=hop, cause=cause)


def _of_502(line: _Line) -> KnownError:
    took = line.at_target
    if took is not None and took >= LONG_SECONDS:
        return entry(PROGRAM, "died", hop=_HOP)
    return entry(PROGRAM, "race", hop=_RACE_HOP, sources=_SOURCE)


def _from_target() -> KnownError:
    return entry(
        PROGRAM,
        "unclear",
        hop=_HOP,
        cause="The target itself answered with this status.",
        remedy="Look in the target's log; it may be a proxy with its own upstream.",
    )

"""Envoy and Istio: what an access log line and the text of a 503 say.

A flag counts only in its place: behind the status, beside the details, as the value of
``response_flags``, or alone. "GET /UC/list" and "UC Berkeley" hold none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from labkit.reference.errors.envoy_words import (
    DETAILS,
    FLAGS,
    LONG_NAMES,
    REASONS,
    Told,
)
from labkit.reference.errors.explanation import ORDER, KnownError, Verdict, entry
from labkit.reference.errors.fields import every, number, pattern
from labkit.reference.errors.pasted import Pasted
from labkit.reference.errors.phrases import Finding, Rank, find_word

PROGRAM = "Envoy, Istio"
MEASURED = "Envoy 1.40 as measured"
_RACE_SOURCES = f"{MEASURED}; Envoy issues 6815 and 1979; istio 13205"
LONG_MILLISECONDS = 1000.0

_FLAG = "|".join(sorted(FLAGS, key=len, reverse=True))
_ONE = f"(?:{_FLAG}|{'|'.join(LONG_NAMES)})"
_MANY = rf"{_ONE}(?:, ?{_ONE})*"
_ENDS = r"(?![\w/.@-])"
# A word with a capital behind it makes a name of it ("UC Berkeley"), unless the word
# begins the name of a status.
_NO_NAME = r"(?! (?!Service|Gateway|Bad|Internal|Upstream|No|Response)[A-Z][a-z])"
_STATUS = (
    r"(?:(?<![\w.:/$-])(?<!\d,)|(?<=[\"'] ))([1-5]\d\d|(?<=\" )0|(?<!.)0)"
    r"[\"']?[ ,|]{1,2}[\"']?"
)
_BEHIND_STATUS = re.compile(rf"{_STATUS}({_MANY}){_ENDS}{_NO_NAME}")
_AS_FIELD = pattern(
    r"response[_ .-]?flags?(?:_long|_short)?|(?<![_-])flags?", f"{_MANY}{_ENDS}"
)
_ALONE = re.compile(rf" ?({_MANY}) ?")
_BESIDE = re.compile(rf"(?<![\w/.-])({_MANY}){_ENDS}")
_DETAIL = re.compile(
    r"upstream_reset_(before|after)_response_started(?:\{([^}]{0,160}))?"
    rf"|(?<![\w/])({'|'.join(sorted(DETAILS, key=len, reverse=True))})(?![\w/])"
)
_BODY = re.compile(
    r"upstream connect error or disconnect/reset before headers"
    r"(?:.{0,40}?reset reason: ([a-z0-9 /_-]{0,60})(.{0,200}))?"
)
_NO_FLAGS = re.compile(r"(?<!\w)([1-5]\d\d)[\"']?[ ,|][\"']?-[\"']?[ ,|][\"']?$")
_COUNTERS = re.compile(r" (\d{1,18}) (\d{1,18}) (\d{1,12})(?: |$)")
_DURATIONS = "duration(?:_ms)?|request_duration"
_DURATION = pattern(_DURATIONS, r"\d")
_ATTEMPTS = "upstream_request_attempt_count|(?:x[_-]envoy[_-])?attempt[_-]count"
_CLUSTER = 60
# With these an answer of the upstream was passed on, and was not repeated.
_PASSED_ON = frozenset({"URX", "UO", "UF", "UH"})
_DIED = Told(
    "died",
    "The connection ended a second or more after the request had come: it was either "
    "worked on, or it waited in Envoy (filters, retries) before it was sent. Look at "
    "the upstream: a crash, a killed worker or a limit. The wait alone is not the "
    "race's.",
)


@dataclass(slots=True)
class _Line:
    """What one place in a text says; several places of one line are put together."""

    at: int
    status: int | None = None
    flags: frozenset[str] = frozenset()
    stage: str = ""
    reason: str = ""
    detail: str = ""
    detail_at: int = -1


def findings(pasted: Pasted) -> Iterator[Finding]:
    """All that Envoy says in a text."""
    for line in _lines(pasted):
        told = _explained(line, pasted)
        if told is not None:
            yield Finding(Rank.FIELD, line.at, _of_all_tries(told, line, pasted))
    yield from _bodies(pasted)
    for name, flag in LONG_NAMES.items():
        at = find_word(pasted.flat, name, 0, len(pasted.flat))
        if at >= 0:
            yield Finding(Rank.WORDS, at, _of_flags(frozenset({flag})))


def _lines(pasted: Pasted) -> Iterator[_Line]:
    text = pasted.flat
    alone = _ALONE.fullmatch(text)
    if alone:
        yield _Line(0, None, _short(alone[1]))
    flagged = [
        *(_of_status(match, text) for match in every(_BEHIND_STATUS, text)),
        *(_of_field(match, pasted) for match in every(_AS_FIELD, text)),
    ]
    yield from flagged
    read = {line.detail_at for line in flagged}
    for match in every(_DETAIL, text):
        if match.start() not in read:
            yield _of_detail(match, pasted)


def _of_status(match: re.Match[str], text: str) -> _Line:
    """Flags behind a status; the details come next."""
    line = _Line(match.start(), int(match[1]), _short(match[2]))
    _add_detail(line, text, match.end(), match.end() + _CLUSTER)
    return line


def _of_field(match: re.Match[str], pasted: Pasted) -> _Line:
    """A value of response_flags; the details stand in the same record."""
    line = _Line(match.start(), None, _short(match[1]))
    for start, end in pasted.record(line.at):
        if _add_detail(line, pasted.flat, start, end):
            break
    return line


def _short(written: str) -> frozenset[str]:
    names = (name.strip() for name in written.split(","))
    return frozenset(LONG_NAMES.get(name, name) for name in names)


def _add_detail(line: _Line, text: str, start: int, end: int) -> bool:
    """Read the details that begin between two places, if any."""
    match = _DETAIL.search(text, start, end + 200)
    if not match or match.start() > end:
        return False
    _read_detail(line, match)
    return True


def _read_detail(line: _Line, match: re.Match[str]) -> None:
    line.stage = match[1] or ""
    line.reason = _normal(match[2] or "")
    line.detail = match[3] or ""
    line.detail_at = match.start()


def _normal(reason: str) -> str:
    return reason.strip().lower().replace(" ", "_")


def _of_detail(match: re.Match[str], pasted: Pasted) -> _Line:
    """Details without flags in their place: look for both beside them."""
    text, start, end = pasted.flat, max(0, match.start() - 30), match.end() + 30
    beside = _BESIDE.search(text, match.end(), end) or _BESIDE.search(
        text, start, match.start()
    )
    line = _Line(match.start(), None, _short(beside[1]) if beside else frozenset())
    _read_detail(line, match)
    line.status = _status_before(match, pasted)
    return line


def _status_before(match: re.Match[str], pasted: Pasted) -> int | None:
    """The status of a record that has details and no flags."""
    at = match.start()
    status = _NO_FLAGS.search(pasted.flat, max(0, at - 12), at)
    if status:
        return int(status[1])
    named = number("response_code|status", pasted, at)
    return int(named) if named is not None else None


# -- from flags and details to an entry ----------------------------------------------


def _explained(line: _Line, pasted: Pasted) -> KnownError | None:
    if line.stage == "after" and not _is_interim(line):
        return _cut()
    reason = next((r for r in REASONS if line.reason.startswith(r)), "")
    if reason:
        told = _race_or_worse(REASONS[reason], line, pasted)
        return _entry(told, line.flags)
    if line.detail and (line.detail != "via_upstream" or line.flags <= _PASSED_ON):
        return _of_known_detail(line)
    if line.flags == {"UPE"} and line.status is not None and line.status < 400:
        return _cut()
    if not line.flags:
        return _entry(Told("unclear"), line.flags) if line.stage else None
    return _entry(_race_or_worse(_first(line.flags), line, pasted), line.flags)


def _is_interim(line: _Line) -> bool:
    """Only a 100 Continue had come: the client got a 503, so no answer had begun."""
    is_error = line.status is not None and line.status >= 500
    return is_error and line.reason.startswith("connection_termination")


def _cut() -> KnownError:
    return entry(PROGRAM, "cut", "proxy", sources=MEASURED)


def _of_known_detail(line: _Line) -> KnownError | None:
    if line.detail == "via_upstream" and line.status is not None and line.status < 400:
        return None
    return _entry(DETAILS[line.detail], line.flags)


def _first(flags: frozenset[str]) -> Told:
    return next(told for flag, told in FLAGS.items() if flag in flags)


def _race_or_worse(told: Told, line: _Line, pasted: Pasted) -> Told:
    """Seconds between the request and the end are no race: something worked on it."""
    if told.verdict != "race":
        return told
    if "TLS" in line.reason.upper():
        return FLAGS["UF"]
    took = _milliseconds(line, pasted)
    return _DIED if took is not None and took >= LONG_MILLISECONDS else told


def _of_all_tries(known: KnownError, line: _Line, pasted: Pasted) -> KnownError:
    """A line that counts several tries does not tell what the earlier ones did."""
    tries = number(_ATTEMPTS, pasted, line.at) or 0
    if known.scope != "this try" or tries <= 1:
        return known
    more = f"The line counts {tries:.0f} tries, and tells how the last one ended."
    return replace(
        known, executed="unknown", scope="request", cause=f"{known.cause} {more}"
    )


def _milliseconds(line: _Line, pasted: Pasted) -> float | None:
    start, end = pasted.record(line.at)[0]
    match = _COUNTERS.search(pasted.flat, line.at, min(end, line.at + 400))
    if match and not _DURATION.search(pasted.flat, start, end):
        return float(match[3])
    return number(_DURATIONS, pasted, line.at)


def _of_flags(flags: frozenset[str]) -> KnownError:
    return _entry(_first(flags), flags)


def _entry(told: Told, flags: frozenset[str]) -> KnownError:
    verdict = told.verdict
    return entry(
        PROGRAM,
        verdict,
        "proxy",
        executed=told.executed,
        hop=told.hop,
        scope=told.scope,
        cause=told.cause,
        more=_beside(flags, verdict),
        remedy=_remedy(flags, verdict),
        sources=_RACE_SOURCES if verdict == "race" else MEASURED,
    )


def _beside(flags: frozenset[str], verdict: Verdict) -> str:
    if "URX" in flags and verdict in ("connect", "overflow"):
        return (
            "All retries were used up. This is said of the last try only: an earlier "
            "one may have been sent and executed."
        )
    if "URX" in flags and verdict != "unclear":
        return (
            "All retries were used up, and this is how the last try ended; earlier "
            "tries may have ended otherwise: a stale connection again, or an upstream "
            "that dies of this request."
        )
    if "UO" in flags and verdict in ("race", "unclear"):
        return (
            "It was not repeated, because the budget of retries was spent "
            "(max_retries: at the same time 3 by Envoy's default; Istio sets 2^32-1)."
        )
    return ""


def _remedy(flags: frozenset[str], verdict: Verdict) -> str:
    if verdict == "race" and "URX" in flags:
        return f"{ORDER} More retries help only while a fresh connection is among them."
    return ""


def _bodies(pasted: Pasted) -> Iterator[Finding]:
    """The text of the response that a client gets."""
    for match in every(_BODY, pasted.lowered):
        yield Finding(Rank.FIELD, match.start(), _of_body(match))


def _of_body(match: re.Match[str]) -> KnownError:
    reason = _normal(match[1] or "")
    told = next((t for r, t in REASONS.items() if reason.startswith(r)), None)
    transport = match[2] or ""
    if told and told.verdict == "race" and "transport failure" in transport:
        told = FLAGS["UF"]
    retried = frozenset({"URX"}) if "retried" in match[0] else frozenset()
    return _entry(told or Told("unclear"), retried)

"""nginx: an error log line is an event and a stage, "... while ..."; both count."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from labkit.reference.errors.explanation import (
    Executed,
    KnownError,
    Scope,
    Verdict,
    entry,
)
from labkit.reference.errors.pasted import Pasted
from labkit.reference.errors.phrases import Finding, Rank, find_word

PROGRAM = "nginx, ingress-nginx"
_SOURCE = "ingress-nginx 11244"
_RACE_HOP = "nginx to its upstream: upstream keepalive_timeout against the upstream's"
_EVENT_LETTERS = 200
_NAME_LETTERS = 4000
_MOST_LINES = 2000
# Upstreams to which nginx keeps no connection by default.
_OTHER_PROTOCOLS = re.compile(r"upstream: \"(?:fastcgi|uwsgi|scgi)://")
_FRESH = (
    "The upstream ended the connection before an answer. nginx keeps no connection to "
    "a FastCGI, uwsgi or SCGI upstream by default. Unless yours is told to "
    "(fastcgi_keep_conn), this one was fresh and it was no race: a crash, a killed "
    "worker or a limit of the application server."
)
_LOOK = (
    "Look in the application server's log (PHP-FPM, uWSGI) for a crash, a killed "
    "worker or a time limit. A retry is safe only where executing twice is."
)

# Stages as they stand behind "while", in the order in which they are looked for.
_STAGES: Mapping[str, str] = {
    "connecting to upstream": "connect",
    "ssl handshaking to upstream": "connect",
    "sending request to upstream": "send",
    "reading response header from upstream": "header",
    "reading upstream": "body",
    "proxying upgraded connection": "body",
    "sending to client": "client",
    "sending response to client": "client",
    "reading client request body": "request body",
    "reading client request line": "request",
    "reading client request headers": "request",
    "waiting for request": "request",
    "ssl handshaking": "request",
    "keepalive": "request",
}


def findings(pasted: Pasted) -> Iterator[Finding]:
    """The first event of every stage that a text holds."""
    text = pasted.lowered
    at = text.find(" while ")
    for _ in range(_MOST_LINES):
        if at < 0:
            return
        stage = _stage(text, at + len(" while "))
        if stage:
            yield from _of_stage(text, at, stage)
        at = text.find(" while ", at + 1)


def _stage(text: str, at: int) -> str:
    return next(
        (kind for words, kind in _STAGES.items() if text.startswith(words, at)), ""
    )


def _of_stage(text: str, at: int, stage: str) -> Iterator[Finding]:
    start = max(0, at - _EVENT_LETTERS)
    event = _event(text, start, at)
    if event:
        known = _entry(event, stage, text[at : at + _NAME_LETTERS])
        yield Finding(Rank.FIELD, at, known)


# Words of an event, the more particular first.
_EVENTS: Mapping[str, str] = {
    "client prematurely closed": "client",
    "client closed": "client",
    "client timed out": "client",
    "upstream prematurely closed fastcgi": "answered badly",
    "no live upstreams": "refused",
    "upstream prematurely closed": "closed",
    "closed connection": "closed",
    "unexpected eof": "closed",
    "timed out": "timeout",
    "upstream sent too big": "too big",
    "upstream sent*": "sent",
    "connect() failed": "refused",
    "connect() to*": "refused",
    "recv() failed": "recv",
    "recv() not ready": "recv",
    "readv() failed": "recv",
    "ssl_read() failed": "recv",
    "send() failed": "write",
    "sendfile() failed": "write",
    "writev() failed": "write",
    "ssl_write() failed": "write",
    "ssl_do_handshake() failed": "refused",
    "connection reset by peer": "recv",
    "broken pipe": "write",
    "connection refused": "refused",
}


def _event(text: str, start: int, end: int) -> str:
    for words, kind in _EVENTS.items():
        if find_word(text, words, start, end) >= 0:
            return kind
    return ""


_OF_STAGE: Mapping[str, tuple[Verdict, Executed]] = {
    "connect": ("connect", "no"),
    "send": ("reset", "unknown"),
    "header": ("reset", "unknown"),
    "body": ("cut", "yes"),
    "request body": ("client-left", "unknown"),
    "request": ("client-left", "no"),
}


def _entry(event: str, stage: str, names: str) -> KnownError:
    """``names`` are what stands behind the stage: the upstream among them."""
    verdict, executed = _told(event, stage, "upstream: " in names)
    if verdict in ("race", "reset") and _OTHER_PROTOCOLS.search(names):
        return entry(PROGRAM, "unclear", "proxy", cause=_FRESH, remedy=_LOOK)
    if verdict == "race":
        return entry(PROGRAM, "race", "proxy", hop=_RACE_HOP, sources=_SOURCE)
    scope: Scope | None = "request" if stage == "request" else None
    return entry(PROGRAM, verdict, "proxy", executed=executed, scope=scope)


def _told(event: str, stage: str, names_upstream: bool) -> tuple[Verdict, Executed]:
    if event == "client":
        return "client-left", "no" if stage in ("connect", "request") else "unknown"
    if stage == "client":
        return _while_sending_to_client(event, names_upstream)
    if event == "timeout" and stage in ("send", "header", "body"):
        return "timeout", "yes" if stage == "body" else "unknown"
    if event == "answered badly" and stage in ("send", "header"):
        return "malformed", "yes"
    if stage in ("send", "header") and event == "closed":
        return "race", "unknown"
    if stage == "header" and event in ("sent", "too big"):
        return "malformed", "yes" if event == "too big" else "unknown"
    return _OF_STAGE[stage]


def _while_sending_to_client(
    event: str, names_upstream: bool
) -> tuple[Verdict, Executed]:
    """An answer was under way; who broke it off shows in what failed."""
    if event == "timeout" and names_upstream:
        return "timeout", "yes"
    if event in ("closed", "answered badly", "sent", "too big") or (
        event == "recv" and names_upstream
    ):
        return "cut", "yes"
    return "client-left", "unknown"

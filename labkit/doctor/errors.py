"""Error strings as they stand in logs, and the cause behind each.

The strings are those that the programs themselves print. What is told about
Envoy was measured on version 1.40; the rest comes from the programs' sources
and documentation, named in each entry.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.kinds import SettingsError

RACE = "a connection that its server end was closing was used for a request"
_ORDER = (
    "Order the timers of that hop: the client end must give up an idle connection "
    "before the server end does, by more than a round trip."
)
_RETRY = "Where repeating is safe, let the client end repeat the request."


@dataclass(frozen=True)
class Entry:
    """One program's words: ``patterns`` are regular expressions, without case."""

    program: str
    patterns: tuple[str, ...]
    hop: str
    cause: str
    remedy: str
    sources: str = ""

    def matches(self, text: str) -> int:
        """How many letters of a text this entry recognises; 0 for none."""
        found = (re.search(pattern, text, re.IGNORECASE) for pattern in self.patterns)
        return max((len(match[0]) for match in found if match), default=0)


@dataclass(frozen=True)
class Explanation:
    """What is known of a text; ``entry`` is None for words not in the index."""

    text: str
    entry: Entry | None
    near: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(f"{label}: {told}" for label, told in self._told())

    __repr__ = __str__

    def _told(self) -> list[tuple[str, str]]:
        entry = self.entry
        if entry is None:
            known = "; ".join(self.near)
            return [
                ("unknown", "the index has no entry for these words"),
                ("nearest", known or "nothing comes near"),
            ]
        told = [
            ("who says so", entry.program),
            ("which hop", entry.hop),
            ("what happened", entry.cause),
            ("what to do", entry.remedy),
        ]
        return [*told, ("sources", entry.sources)] if entry.sources else told

    def _repr_markdown_(self) -> str:
        return "\n".join(
            f"- **{label}**: {html.escape(told)}" for label, told in self._told()
        )


def explain(text: str) -> Explanation:
    """The cause behind an error string or a log line that holds one.

    Raises SettingsError for an empty text.
    """
    flat = " ".join(text.split())
    if not flat:
        raise SettingsError("the text is empty; allowed: an error string or a log line")
    scored = [(entry.matches(flat), -place) for place, entry in enumerate(INDEX)]
    best, place = max(scored)
    if best:
        return Explanation(flat, INDEX[-place])
    return Explanation(flat, None, _nearest(flat))


def _nearest(text: str) -> tuple[str, ...]:
    """Entries that share the most words with the text."""
    words = set(re.findall(r"[a-z]{4,}", text.lower()))
    scores = []
    for entry in INDEX:
        own = set(re.findall(r"[a-z]{4,}", " ".join(entry.patterns).lower()))
        if words & own:
            scores.append((len(words & own), entry.program))
    scores.sort(key=lambda each: -each[0])
    return tuple(dict.fromkeys(program for _, program in scores))[:3]


def _race(
    program: str, *patterns: str, hop: str, more: str = "", sources: str = ""
) -> Entry:
    """An entry whose cause is the race of the closing connection."""
    cause = RACE[0].upper() + RACE[1:] + "; nobody executed the request." + more
    return Entry(program, patterns, hop, cause, f"{_ORDER} {_RETRY}", sources)


_OWN_UPSTREAM = "the one behind it: its upstream pool against the upstream's keep-alive"
_CLIENTS_HOP = "the one it dials: its own pool against the server's keep-alive"

INDEX: Sequence[Entry] = (
    Entry(
        "Envoy, Istio",
        (r"\bURX,UC\b", r"retried and the latest reset reason: connection termination"),
        _OWN_UPSTREAM,
        "Every try met a closing connection: the retry picked the next stale one.",
        _ORDER + " More retries only help while a fresh connection is among them.",
        "Envoy 1.40 as measured; Envoy issue 47468",
    ),
    Entry(
        "Envoy, Istio",
        (r"\bUO,UC\b",),
        _OWN_UPSTREAM,
        "Many connections died at once and the retry budget (max_retries, 3 at the "
        "same time by default) was spent: this request was not repeated.",
        _ORDER + " Raise circuit_breakers.max_retries if bursts are expected.",
        "Envoy 1.40 as measured",
    ),
    _race(
        "Envoy, Istio",
        r"reset reason: connection termination",
        r"upstream_reset_before_response_started\{connection_termination\}",
        r"\b503 +(?:\S+ +){0,6}UC\b",
        r"\bUC\b",
        hop=_OWN_UPSTREAM,
        sources="Envoy issues 6815 and 1979; istio 13205",
    ),
    Entry(
        "Envoy, Istio",
        (
            r"reset reason: remote connection failure",
            r"reset reason: connection timeout",
            r"delayed_connect_error",
            r"\bUF\b",
        ),
        _OWN_UPSTREAM,
        "No connection could be made: refused, or not answered in time. Not the race.",
        "See whether the upstream listens, and what stands between.",
        "Envoy 1.40 as measured",
    ),
    Entry(
        "Envoy, Istio",
        (r"\bUPE\b", r"reset reason: protocol error"),
        _OWN_UPSTREAM,
        "The upstream began an answer that is no HTTP, or broke it off. Not the race.",
        "Look at what the upstream sends; a crash in the middle looks the same.",
        "Envoy 1.40 as measured",
    ),
    Entry(
        "Envoy, Istio",
        (r"\bUT\b", r"upstream request timeout"),
        _OWN_UPSTREAM,
        "The upstream took longer than the route's timeout (15 s by default).",
        "Look for what is slow; the connection itself is well.",
        "Envoy 1.40 as measured",
    ),
    _race(
        "AWS ALB",
        r"elb_status_code=502\b.*target_status_code=-",
        r"HTTPCode_ELB_502_Count",
        r"\b502 - (?:\S+ ){2,}",
        hop="balancer to target: its 60 s idle timeout against the target's keep-alive",
        sources="Envoy issue 13388 (502 on an ALB when the rate drops)",
    ),
    _race(
        "Google Cloud load balancer",
        r"backend_connection_closed_before_data_sent_to_client",
        hop="balancer to backend: its 600 s keep-alive against the backend's",
    ),
    _race(
        "nginx, ingress-nginx",
        r"upstream prematurely closed connection while reading response header",
        r"recv\(\) failed \(104: connection reset by peer\) while reading response",
        hop="nginx to its upstream: upstream keepalive_timeout against the upstream's",
        sources="ingress-nginx 8760 and 11244",
    ),
    _race(
        "HAProxy",
        r"(?<!\w)SH--",
        hop="HAProxy to its server",
        more=" Where it can, HAProxy closes silently and leaves it to the client.",
        sources="haproxy 1423 and 3414",
    ),
    _race("Traefik", r"502 bad gateway['\"]? caused by: EOF", hop=_OWN_UPSTREAM),
    _race(
        "Apache httpd",
        r"AH01102: error reading status line from remote server",
        r"AH00898: error reading from remote server returned by",
        hop=_OWN_UPSTREAM,
    ),
    _race(
        "Python: http.client, requests, urllib3",
        r"RemoteDisconnected\('?remote end closed connection without response",
        r"remote end closed connection without response",
        r"BadStatusLine\(",
        hop=_CLIENTS_HOP,
        sources="requests 3458",
    ),
    _race(
        "Python: aiohttp",
        r"ServerDisconnectedError",
        r"ClientOSError: \[errno 104\]",
        hop=_CLIENTS_HOP,
        sources="aiohttp 10790",
    ),
    _race(
        "Python: httpx",
        r"RemoteProtocolError: server disconnected without sending a response",
        hop=_CLIENTS_HOP,
    ),
    _race(
        "Node.js",
        r"socket hang up",
        r"SocketError: other side closed",
        r"UND_ERR_SOCKET",
        hop=_CLIENTS_HOP,
        sources="node 27363 and 60617; undici 3145",
    ),
    _race(
        "Go",
        r"http: server closed idle connection",
        r"(?:Get|Post|Put) \"[^\"]+\": EOF",
        hop=_CLIENTS_HOP,
    ),
    _race(
        "Java",
        r"unexpected end of stream on",
        r"NoHttpResponseException",
        r"failed to respond",
        r"PrematureCloseException",
        r"connection prematurely closed before response",
        hop=_CLIENTS_HOP,
    ),
    _race(
        "Rust: hyper",
        r"connection closed before message completed",
        r"IncompleteMessage",
        hop=_CLIENTS_HOP,
    ),
    _race(
        ".NET",
        r"the response ended prematurely",
        r"ResponseEnded",
        r"an existing connection was forcibly closed by the remote host",
        hop=_CLIENTS_HOP,
    ),
    _race(
        "Ruby",
        r"EOFError",
        r"too many connection resets \(due to end of file reached",
        r"end of file reached",
        hop=_CLIENTS_HOP,
        sources="puma 1735",
    ),
    Entry(
        "almost anything",
        (r"ECONNRESET", r"connection reset by peer", r"EPIPE", r"broken pipe"),
        _CLIENTS_HOP,
        "The other end closed the connection while data was under way: the race of "
        "the closing connection if the connection had been idle, a crash if not.",
        f"Look when the connection was used last. {_ORDER}",
    ),
)

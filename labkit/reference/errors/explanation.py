"""What is known of an error text: its verdict, whether it was executed, what to do.

The rule: "nobody executed the request" is said only where the text proves it. A
connection that ended before an answer proves nothing; it may have ended after the
upstream did the work (Envoy 1.40 as measured: the two look the same). What a text
tells of a connection that failed is told of one try: a program that repeats a request
may have had an earlier try executed (measured with Envoy 1.40 and HAProxy 2.6).
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from labkit.theory.text import ROOM

Verdict = Literal[
    "race",
    "reset",
    "connect",
    "timeout",
    "cut",
    "died",
    "client-left",
    "overflow",
    "malformed",
    "restart",
    "unclear",
    "unknown",
]
Executed = Literal["yes", "no", "unknown"]
Scope = Literal["this try", "request"]

VERDICTS: Mapping[Verdict, str] = {
    "race": "the connection ended before an answer; the race of a closing connection "
    "is likely",
    "reset": "the connection was reset; the race, a crash, or data that was not read",
    "connect": "no connection could be made",
    "timeout": "a time limit passed before the answer was complete",
    "cut": "the connection ended in the middle of an answer",
    "died": "the upstream worked for a while, then the connection ended",
    "client-left": "the client went away before the answer was complete",
    "overflow": "a limit of connections, requests or retries refused the request",
    "malformed": "a message was no valid HTTP",
    "restart": "a server process is being replaced",
    "unclear": "the text says only that it failed",
    "unknown": "the index has no entry for these words",
}
_NOBODY_KNOWS = (
    "nobody can know from this text. Look in what the request changes (ledger, "
    "database). A line in the upstream's log proves execution; no line proves nothing, "
    "for many servers log only after the answer"
)
THIS_TRY = (
    "this try was not sent; with retries, an earlier try of the same request may have "
    "been executed"
)
_EXECUTED: Mapping[Executed, str] = {
    "yes": "an answer had begun, so the upstream had the request",
    "no": "no upstream worked on the request",
    "unknown": _NOBODY_KNOWS,
}
DEFAULT_EXECUTED: Mapping[Verdict, Executed] = {
    **dict.fromkeys(VERDICTS, "unknown"),
    "connect": "no",
    "overflow": "no",
    "cut": "yes",
}

_CAUSES: Mapping[Verdict, str] = {
    "race": "The connection ended before an answer. A connection that its server end "
    "was closing when the request was sent is the likely cause.",
    "reset": "The connection was reset while a request was under way: the race of "
    "the closing connection if it had been idle before, a crash if not, or a server "
    "that closed without reading all it was sent.",
    "connect": "No connection could be made. This is not the race.",
    "timeout": "A time limit passed. The request may still be running.",
    "cut": "The connection ended in the middle of an answer: a crash, a server that "
    "was stopped, or a limit on the way. This is not the race.",
    "died": "The request was worked on for a second or more, then the connection "
    "ended: a crash, a killed worker or a limit of the server. This is not the race.",
    "client-left": "The client closed its connection, or stopped waiting. Its own "
    "time limit is often shorter than the answer takes.",
    "overflow": "A limit was reached, so this try was not sent on.",
    "malformed": "One side sent what is no valid HTTP.",
    "restart": "A process is being replaced. Requests on its connections fail if it "
    "closes them without announcing it.",
    "unclear": "These words say only that it failed, not why.",
}
_RETRY = (
    "A retry is safe only where executing twice is: a safe or idempotent method, or "
    "an idempotency key that the upstream keeps."
)
ORDER = (
    "Order the timers of that hop: the client end must give up an idle connection "
    f"before the server end does, by more than {ROOM} "
    "(if that is unknown: 2 s, or 20 % of the timeout if that is more)."
)
_REMEDIES: Mapping[Verdict, str] = {
    "race": f"{ORDER} {_RETRY}",
    "reset": "Look when the connection was used last. If it had been idle for the "
    f"server's keep-alive: {ORDER[0].lower()}{ORDER[1:]} {_RETRY}",
    "connect": "See whether the upstream listens, what its name resolves to, and what "
    "stands between.",
    "timeout": f"Look for what is slow, and who still works on it. {_RETRY}",
    "cut": "Look in the upstream's log for a crash or a stop at that moment. It had "
    f"the request: {_RETRY[0].lower()}{_RETRY[1:]}",
    "died": f"Look in the upstream's log for a crash or a limit. {_RETRY}",
    "client-left": "Compare the client's time limit with how long the answer takes.",
    "overflow": "Compare the limit with what is needed at the peak. Retries at once "
    "add to the load.",
    "malformed": "Look at the bytes that were sent: protocol (TLS, HTTP/2), proxies "
    "between, and what an earlier answer left behind.",
    "restart": "Let the process announce its end (Connection: close), drain, and leave "
    f"last. {_RETRY}",
    "unclear": "Look for the field of the access log that says why: Envoy's response "
    "flags and details, HAProxy's termination state, the ALB's processing times and "
    "target status, the error log of nginx.",
}

Side = Literal["client", "proxy", "server"]
_BEHIND = "the one behind it, from its own client end to the upstream"
_HOPS: Mapping[Side, Mapping[Verdict, str]] = {
    "client": {
        **dict.fromkeys(VERDICTS, "the one it dials"),
        "race": "the one it dials: its own pool against the server's keep-alive",
        "reset": "the one it dials",
        "client-left": "the one in front of it: its own client",
    },
    "proxy": {
        **dict.fromkeys(VERDICTS, _BEHIND),
        "race": "the one behind it: its pool against the upstream's keep-alive",
        "client-left": "the one in front of it: its own client",
    },
    "server": dict.fromkeys(VERDICTS, "the one in front of it"),
}


@dataclass(frozen=True, slots=True)
class KnownError:
    """One program's words for one event."""

    program: str
    hop: str
    verdict: Verdict
    executed: Executed
    cause: str
    remedy: str
    sources: str = ""
    scope: Scope = "request"


def entry(
    program: str,
    verdict: Verdict,
    side: Side = "client",
    *,
    executed: Executed | None = None,
    hop: str = "",
    cause: str = "",
    more: str = "",
    remedy: str = "",
    sources: str = "",
    scope: Scope | None = None,
) -> KnownError:
    """An entry that says of its verdict what is always true of it.

    ``more`` is put behind the cause; ``cause``, ``remedy`` and ``hop`` replace it.
    What was not executed is told of this try, unless ``scope`` says that the request
    can have had no try before.
    """
    told = executed or DEFAULT_EXECUTED[verdict]
    return KnownError(
        program,
        hop or _HOPS[side][verdict],
        verdict,
        told,
        " ".join(filter(None, (cause or _CAUSES[verdict], more))),
        remedy or _REMEDIES[verdict],
        sources,
        scope or ("this try" if told == "no" else "request"),
    )


@dataclass(frozen=True)
class Explanation:
    """What is known of a text; ``entry`` is None for words not in the index.

    ``near`` are entries whose words come near; ``also`` are the verdicts of other
    findings in the same text, for a paste may hold several; ``meant`` are the known
    words from which an unknown text differs by a slip.
    """

    text: str
    entry: KnownError | None
    near: tuple[str, ...] = ()
    also: tuple[Verdict, ...] = ()
    meant: str = ""

    @property
    def verdict(self) -> Verdict:
        """One word of :data:`VERDICTS`; "unknown" for words not in the index."""
        return self.entry.verdict if self.entry else "unknown"

    @property
    def executed(self) -> Executed:
        """Had an upstream executed it? "yes", "no" (see scope) or "unknown"."""
        return self.entry.executed if self.entry else "unknown"

    @property
    def scope(self) -> Scope:
        """Of what ``executed`` speaks: of one try, or of the request with all tries."""
        return self.entry.scope if self.entry else "request"

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        known = self.entry
        return {
            "text": self.text,
            "verdict": self.verdict,
            "executed": self.executed,
            "scope": self.scope,
            "executed_in_words": self._executed_in_words(),
            "program": known.program if known else None,
            "hop": known.hop if known else None,
            "cause": known.cause if known else None,
            "remedy": known.remedy if known else None,
            "sources": known.sources if known else "",
            "near": list(self.near),
            "also": list(self.also),
            "meant": self.meant,
        }

    def __str__(self) -> str:
        return "\n".join(f"{label}: {told}" for label, told in self._told())

    __repr__ = __str__

    def _told(self) -> list[tuple[str, str]]:
        if self.entry is None:
            unknown = ("unknown", VERDICTS["unknown"])
            if self.meant:
                return [unknown, ("did you mean", f"{self.meant}?")]
            return [unknown, ("nearest", "; ".join(self.near) or "nothing comes near")]
        known = self.entry
        told = [
            ("verdict", f"{known.verdict} ({VERDICTS[known.verdict]})"),
            ("executed", f"{known.executed} ({self._executed_in_words()})"),
            ("who says so", known.program),
            ("which hop", known.hop),
            ("what happened", known.cause),
            ("what to do", known.remedy),
            ("sources", known.sources),
            ("the text also holds", ", ".join(self.also)),
        ]
        return [(label, words) for label, words in told if words]

    def _executed_in_words(self) -> str:
        return THIS_TRY if self.scope == "this try" else _EXECUTED[self.executed]

    def _repr_markdown_(self) -> str:
        return "\n".join(
            f"- **{label}**: {html.escape(told)}" for label, told in self._told()
        )

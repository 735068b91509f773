"""A status alone: what it can say, and which field says the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from labkit.doctor.explanation import Entry, entry
from labkit.doctor.fields import every
from labkit.doctor.pasted import Pasted
from labkit.doctor.phrases import Finding, Rank

_SAYS: Mapping[str, str] = {
    "500": "500: somebody answered, and calls it its own error",
    "502": "502: a gateway got no usable answer from the server behind it",
    "503": "503: somebody cannot serve now; a proxy without an upstream says so, Envoy "
    "also if a connection ended before the answer, and an application may say it too",
    "504": "504: a gateway's time limit passed, while connecting or while waiting",
    "408": "408: a server's time limit for the request passed; on a connection that "
    "had been idle it can be the goodbye of a server, delivered as the answer to the "
    "next request",
    "499": "499: nginx's own code for a client that left",
}
_WORDS = {
    "bad gateway": "502",
    "service unavailable": "503",
    "service temporarily unavailable": "503",
    "gateway timeout": "504",
    "gateway time-out": "504",
    "client closed request": "499",
}
_NAMES = "|".join(sorted(_WORDS, key=len, reverse=True))
_CODE = r"([45]\d\d)"
_ENDS = r"(?![\w./:-])"
_PLACES = re.compile(
    rf"http/\d(?:\.\d)?[\"']? {_CODE}{_ENDS}"
    r"|(?<![\w-])(?:response_|http_|http |upstream_)?"
    r"(?:status|code|http|error)(?:[_ -]?code)?[\"']?"
    rf" ?[:=]? ?[\"']?{_CODE}{_ENDS}"
    rf"|(?<![\w./:-]){_CODE}[\"':,-]{{0,2}} (?:{_NAMES}|server error|client error"
    r"|request time-?out|internal server error|bad request)"
    rf"|(?<![\w-])({_NAMES})(?!\w)"
)
_ALONE = re.compile(r"\W{0,20}([45]\d\d)\W{0,20}")
_LOOK = (
    "Look for the field that says why: Envoy's response flags and details (%RESPONSE_"
    "FLAGS%, %RESPONSE_CODE_DETAILS%), HAProxy's termination state, the ALB's "
    "target_processing_time and target_status_code, nginx's error log."
)


def findings(pasted: Pasted) -> Iterator[Finding]:
    """All statuses of 400 and more, each in its place."""
    alone = _ALONE.fullmatch(pasted.lowered)
    if alone:
        yield Finding(Rank.STATUS, 0, _entry(alone[1]))
    for match in every(_PLACES, pasted.lowered):
        found = next(each for each in match.groups() if each)
        yield Finding(Rank.STATUS, match.start(), _entry(_WORDS.get(found, found)))


def _entry(code: str) -> Entry:
    if code == "499":
        return entry("nginx", "client-left", "proxy", cause=f"{_SAYS[code]}.")
    says = _SAYS.get(code, f"{code}: somebody answered so")
    return entry(
        "any server or gateway",
        "unclear",
        hop="the status does not tell which program made it",
        cause=f"A status alone says little. {says[0].upper()}{says[1:]}.",
        remedy=_LOOK,
    )

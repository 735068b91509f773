"""Heroku's router: ``code=H13`` and the like, with the time that the dyno took.

The names of the codes are Heroku's own (package heroku-apps, lib/error_info.js). That a
request goes on running after H12 says devcenter, "Request Timeout".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from labkit.doctor.explanation import Verdict, entry
from labkit.doctor.fields import every
from labkit.doctor.pasted import Pasted
from labkit.doctor.phrases import Finding, Rank

PROGRAM = "Heroku router"
LONG_MILLISECONDS = 1000
_CODE = re.compile(r"(?:(?<!\w)code=|error )\"?(h\d\d)(?!\w)")
_SERVICE = re.compile(r" service=(\d{1,9})ms")
_VERDICTS: Mapping[str, Verdict] = {
    "h10": "connect",
    "h11": "overflow",
    "h12": "timeout",
    "h13": "race",
    "h14": "connect",
    "h15": "timeout",
    "h17": "malformed",
    "h18": "reset",
    "h19": "connect",
    "h20": "connect",
    "h21": "connect",
    "h22": "overflow",
    "h27": "client-left",
    "h28": "client-left",
}


def findings(pasted: Pasted) -> Iterator[Finding]:
    """All codes of Heroku's router in a text."""
    for match in every(_CODE, pasted.lowered):
        verdict = _verdict(match, pasted.lowered)
        if verdict:
            yield Finding(Rank.FIELD, match.start(), entry(PROGRAM, verdict, "proxy"))


def _verdict(match: re.Match[str], text: str) -> Verdict | None:
    verdict = _VERDICTS.get(match[1])
    took = _SERVICE.search(text, match.end(), match.end() + 600)
    is_long = took is not None and int(took[1]) >= LONG_MILLISECONDS
    return "died" if verdict == "race" and is_long else verdict

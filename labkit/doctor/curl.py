"""curl and all that stands on libcurl (PHP, Guzzle, Symfony): error numbers.

Source: curl's manual page, "EXIT CODES"; number 28 is told apart by its message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from labkit.doctor.explanation import Entry, Verdict, entry
from labkit.doctor.fields import every
from labkit.doctor.pasted import Pasted
from labkit.doctor.phrases import Finding, Rank

PROGRAM = "curl, PHP: Guzzle, Symfony"
_SOURCE = 'curl\'s manual page, "EXIT CODES"'
_NUMBER = re.compile(
    r"(?<!\w)(?:curl: \(|curl error:? \(?|curl error code:? |curl errno:? |"
    r"curl_errno\W{1,4}|libcurl error:? |curl returned error:? )(\d{1,3})(?!\d)"
)
_MESSAGE_LETTERS = 200
_OF_NUMBER: Mapping[int, Verdict] = {
    1: "malformed",
    5: "connect",
    6: "connect",
    7: "connect",
    8: "malformed",
    16: "reset",
    18: "cut",
    28: "timeout",
    35: "connect",
    51: "connect",
    52: "race",
    55: "reset",
    56: "reset",
    58: "connect",
    60: "connect",
    92: "reset",
    95: "reset",
    96: "connect",
}
# Messages of number 28 that tell that no connection had been made.
_CONNECTING = (
    "failed to connect",
    "connection timed out",
    "connection timeout",
    "connection time-out",
    "connect timeout",
    "resolving timed out",
    "ssl connection timeout",
)
_RECEIVED = re.compile(r"with ([1-9]\d{0,15}) (?:out of -?\d{1,16} )?bytes received")
# The same events where the number is missing.
_MESSAGES: Mapping[str, int] = {
    "curle_got_nothing": 52,
    "empty reply from server": 52,
    "curle_recv_error": 56,
    "recv failure: ": 56,
    "curle_send_error": 55,
    "send failure: ": 55,
    "curle_partial_file": 18,
    "transfer closed with": 18,
    "curle_couldnt_connect": 7,
    "curle_operation_timedout": 28,
    "received http/0.9 when not allowed": 1,
}


def findings(pasted: Pasted) -> Iterator[Finding]:
    """All error numbers of curl in a text, and its messages without a number."""
    text = pasted.lowered
    for match in every(_NUMBER, text):
        message = text[match.end() : match.end() + _MESSAGE_LETTERS]
        known = _entry(int(match[1]), message)
        yield Finding(Rank.FIELD, match.start(), known, len(match[0]))
    for words, code in _MESSAGES.items():
        at = text.find(words)
        if at >= 0:
            yield Finding(Rank.WORDS, at, _entry(code, text[at : at + 200]))


def _entry(code: int, message: str) -> Entry:
    if code == 28 and any(words in message for words in _CONNECTING):
        return entry(PROGRAM, "connect", sources=_SOURCE)
    if code == 28 and _RECEIVED.search(message):
        return entry(PROGRAM, "timeout", executed="yes", sources=_SOURCE)
    verdict = _OF_NUMBER.get(code, "unclear")
    return entry(PROGRAM, verdict, sources=_SOURCE)

"""Entries that clients of every language share."""

from __future__ import annotations

from labkit.doctor.explanation import Entry, entry

_BODY_TIMEOUT = "The answer had begun; the rest did not come in time."
_POOL_FULL = (
    "All connections of the client's own pool were busy until its time limit passed."
)
NO_ANSWER = "The server sent what is no HTTP response, or something before it."


def pool(program: str) -> Entry:
    return entry(program, "overflow", hop="its own pool", cause=_POOL_FULL)


def body_timeout(program: str) -> Entry:
    return entry(program, "timeout", executed="yes", cause=_BODY_TIMEOUT)

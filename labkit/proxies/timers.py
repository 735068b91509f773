"""Which timer of a program fits the end of a connection, for a program says nothing.

The words are those of our own servers and pools, so that a figure reads alike.
"""

from __future__ import annotations

import math

from labkit.settings import Pool, Server
from labkit.theory.window import goodbye

# Seconds by which a timer may seem early or late on a machine that is busy.
TOLERANCE = 0.1


def why_server(settings: Server, age: float, quiet: float, requests: int) -> str:
    """Why a server may have closed: it lived for ``age``, sent nothing for ``quiet``.

    Both in seconds. "" if no timer of its settings fits. Before the first request
    nginx and HAProxy limit the head, Envoy its idle time.
    """
    if not requests and _fits(age, settings.request_headers_timeout):
        return "request headers timeout"
    idle, aged = settings.idle_timeout, settings.max_connection_duration
    if _fits(quiet, goodbye(settings).closed if requests else idle):
        return "idle timeout"
    if _fits(age, goodbye(settings, aged).closed if requests else aged):
        return "max connection duration"
    return "max requests" if requests >= settings.max_requests_per_connection else ""


def why_pool(settings: Pool, age: float, quiet: float, requests: int) -> str:
    """The same for the pool's end, which heard nothing for ``quiet``."""
    if _fits(quiet, settings.idle_timeout):
        return "idle_timeout"
    if _fits(age, settings.max_connection_duration):
        return "max_connection_duration"
    if requests >= settings.max_requests_per_connection:
        return "max_requests_per_connection"
    return ""


def _fits(seconds: float, timer: float) -> bool:
    return timer < math.inf and abs(seconds - timer) <= TOLERANCE

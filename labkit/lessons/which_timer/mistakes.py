"""Mistakes: what a knob does not mend, told from the request that was lost."""

from __future__ import annotations

from labkit.lessons.probes import Loss
from labkit.settings import Hop
from labkit.theory import duration, margin, patience
from labkit.theory.window import deaf_at

_LIMIT = (
    "A limit of the server's own is one more way to close without a word, and its FIN "
    "crosses requests as that of an idle timer does. The idle timers are as they were."
)
_REPEATED = (
    "Nothing is repeated unless retry_on covers how the attempt failed: here the "
    "connection ended before the answer."
)
_MISTAKES = {
    "server.max_connection_duration": _LIMIT,
    "server.max_requests_per_connection": _LIMIT,
    "pool.retry.retry_on": _REPEATED,
    "pool.retry.num_retries": _REPEATED,
    "pool.retry.methods": _REPEATED,
    "server.farewell": (
        "What a server says when it leaves does not change when it leaves: a request "
        "that crosses it is lost, and a client takes a 408 for the answer to its own "
        "request."
    ),
    "server.hint": (
        "A hint helps only a pool that obeys it, by hop.N.pool.honours_hint."
    ),
    "pool.honours_hint": (
        "The pool would obey a hint now, and this server gives none that is in time."
    ),
    "server.tick": (
        "A tick makes the server's timer late by up to so much, and not always: now "
        "and then it is on time, and a request crosses its FIN as before."
    ),
    "server.delayed_close_timeout": (
        "During the delayed close a server is deaf: it only keeps the window open for "
        "longer."
    ),
}
# Knobs that move one of the two timers.
_TIMERS = ("idle_timeout", "drain_timeout", "personality")


def hint(path: str, lost: Loss) -> str:
    """What turning the knob at this path does not do, and where to look next."""
    if not lost.gaps:
        return f"With this value of {path} not even a request alone is served."
    knob = path.split(".", 2)[2]
    if f"hop.{lost.hop}." not in path and lost.exchange.error != "Timeout":
        near, far = lost.scenario.parties[lost.hop : lost.hop + 2]
        return (
            f"You turned {path}; the hop that fails is {near} → {far}, "
            f"hop.{lost.hop}. Each hop has its own two timers."
        )
    if knob in _MISTAKES:
        return _MISTAKES[knob]
    return _hint_about_timers(lost.scenario.hops[lost.hop], path)


def _hint_about_timers(ends: Hop, path: str) -> str:
    pool, deaf = patience(ends), deaf_at(ends)
    aside = "" if path.endswith(_TIMERS) else f"{path} changes neither timer. "
    if pool >= deaf:
        return (
            f"{aside}The pool keeps an idle connection for {duration(pool)}, "
            f"the server reads for {duration(deaf)}. Which of the two must be shorter?"
        )
    if margin(ends) > 0.0:
        return f"{aside}The two timers are in order; something else lost the request."
    short = duration(round(-margin(ends), 6))
    return (
        f"{aside}The order is right, the margin is not: here a round trip takes "
        f"{duration(round(deaf - pool - margin(ends), 6))}, "
        f"and the margin is {short} short of it. "
        "The pool has to give up earlier, by a round trip at least."
    )

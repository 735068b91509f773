"""Exercise 1 of the queue: which share of a long queue fails?"""

from __future__ import annotations

from labkit.lab import run
from labkit.lessons.answers import number
from labkit.lessons.queue.bursts import queue
from labkit.lessons.verdict import Verdict, check
from labkit.theory import duration


@check
def check_share(
    percent: object, fin_after: float = 0.05, delay: float = 0.01
) -> Verdict:
    """Is this the share, in per cent, of a long queue that fails?

    The FIN comes ``fin_after`` seconds after a response, over a wire of ``delay``
    each way. The truth is measured in virtual time.
    """
    if percent is None:
        return Verdict(
            False,
            "No share is predicted yet.",
            "How many responses get out before the FIN, one round trip apart?",
        )
    share = number(percent, "The share", "are 0 to 100", high=100.0)
    return _held(share, fin_after, delay)


def _held(share: float, fin_after: float, delay: float) -> Verdict:
    """The prediction against a queue of 120, ten times over."""
    done = run(
        queue(fin_after, burst=120).replace("hop.1.link.delay", delay),
        progress=False,
        trace=False,
    )
    truth = 100 * done.error_rate
    if abs(share - truth) <= 1.0:
        return Verdict(
            True, f"{done.failed} of {done.requests} requests failed: {truth:.0f} %."
        )
    if abs(100.0 * share - truth) <= 1.0:
        hint = "That is the share as a fraction; asked is how many of a hundred."
    else:
        hint = _share_hint(share, fin_after, 2 * delay)
    return Verdict(False, f"{share:g} % is {abs(share - truth):.0f} off.", hint)


def _share_hint(percent: float, fin_after: float, cycle: float) -> str:
    served = 1 + int(fin_after / cycle)
    if percent == 0:
        return "The upstream still announces nothing: somebody meets every FIN."
    if 45 <= percent <= 55:
        return (
            "Every other request is right for a FIN within one round trip. This one "
            f"comes {duration(fin_after)} after the first response, a round trip "
            f"takes {duration(cycle)}."
        )
    if abs(percent - 100 / served) <= 1.0:
        return (
            f"{served} responses get out before the FIN. Count the request "
            "that meets it, too."
        )
    if percent > 55 or abs(percent * (served - 1) - 100) <= served - 1:
        return "The clock starts at the first response, which itself is served."
    return (
        "One request fails per connection. How many does a connection serve, one "
        f"every {duration(cycle)}, until {duration(fin_after)} after the first?"
    )

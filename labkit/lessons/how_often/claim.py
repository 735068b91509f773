"""Exercise 3 of how often: the popular wrong explanation."""

from __future__ import annotations

from labkit.lessons.answers import Refused, number
from labkit.lessons.how_often.hump import TIMEOUT, chain
from labkit.lessons.verdict import Verdict, check
from labkit.theory import duration, errors_per_day, predicted

LOWEST, HIGHEST = 0.001, 20.0  # requests a second
WIRES = (0.005, 0.01, 0.015)  # one-way delays in seconds; the page names them
# Two numbers of errors are told apart if they differ by more than this part.
_ALIKE = 0.01


@check
def check_claim(quiet: object, busy: object) -> Verdict:
    """Are these rates, in requests a second, a counterexample to "the more traffic,
    the more errors"? The busier of two has fewer errors *a day*, on three wires.

    Errors a day are those of the theory, which is exact for this chain: a count of
    them would need millions of requests where they are rare.
    """
    if quiet is None or busy is None:
        raise Refused(
            "No counterexample yet: two rates are asked for.",
            "Look at the right of the hump: what became of the errors there?",
        )
    return _claimed(_rate("quiet", quiet), _rate("busy", busy))


def _rate(name: str, said: object) -> float:
    allowed = f"are {LOWEST:g} to {HIGHEST:g} a second"
    return number(said, name, allowed, LOWEST, HIGHEST)


def _claimed(quiet: float, busy: float) -> Verdict:
    if quiet >= busy:
        raise Refused(
            f"{busy:g} a second is not more traffic than {quiet:g}.",
            "The second rate has to be the higher one, with fewer errors.",
        )
    days = [_a_day(delay, quiet, busy) for delay in WIRES]
    for delay, (many, few) in zip(WIRES, days, strict=True):
        told = (
            f"With a delay of {duration(delay)} each way {quiet:g} a second have "
            f"{many:.3g} errors a day and {busy:g} a second {few:.3g}"
        )
        if abs(many - few) <= _ALIKE * max(many, few):
            away = "Take the two rates further apart, or further to the right."
            raise Refused(f"{told}: too close to tell.", away)
        if few > many:
            raise Refused(f"{told}.", _claim_hint(quiet, busy))
    many, few = days[1]
    return Verdict(
        True,
        f"On all {len(WIRES)} wires {busy:g} requests a second have fewer errors a day "
        f"than {quiet:g}; over the page's own wire {few:.3g} and not {many:.3g}.",
    )


def _a_day(delay: float, quiet: float, busy: float) -> tuple[float, float]:
    """Errors a day at both rates over a wire of this one-way delay, in seconds."""
    shares = (predicted(chain(rate, delay=delay)).share for rate in (quiet, busy))
    first, second = map(errors_per_day, (quiet, busy), shares)
    return first, second


def _claim_hint(quiet: float, busy: float) -> str:
    top = 2.0 / TIMEOUT
    if busy <= top:
        return (
            "So far the claim holds: up to 2/T, here "
            f"{top:g} a second, more traffic does mean more errors a day. Go on."
        )
    if quiet < 0.1 / TIMEOUT:
        return (
            f"At {quiet:g} a second there is so little traffic that there is little "
            "to fail. Take a quiet rate nearer to the hump."
        )
    return (
        f"The errors a day are most at {top:g} a second. Take the busy rate further "
        "to the right of that, or the quiet one nearer to it."
    )

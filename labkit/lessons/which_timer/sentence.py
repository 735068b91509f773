"""Exercise 5 of the timers: the sentence about them, put right."""

from __future__ import annotations

import random
from collections.abc import Mapping

from labkit.lessons.answers import Refused, options, shown
from labkit.lessons.probes import first_loss
from labkit.lessons.telling import orders
from labkit.lessons.verdict import Verdict, check
from labkit.settings import Hop, Link, Pool, Scenario, Server
from labkit.theory import duration
from labkit.theory.text import ROOM

ENDS = ("client end", "server end")
HOPS = ("the downstream hop", "the upstream hop", "every hop")
MARGINS = ("nothing", "the one-way delay", "a round trip")
_BLANKS = {
    "shorter": ENDS,
    "of": HOPS,
    "by more than": MARGINS,
}
_CHAINS = 3


@check
def check_sentence(sentence: object) -> Verdict:
    """Is a chain safe whose timers are set as the sentence says?

    ``sentence`` fills three blanks: the ``shorter`` end, ``of`` which hop, ``by more
    than`` what. The check builds chains that obey it and leaves to chance what it
    does not say; they are unseen.
    """
    filled = _filled(sentence)
    for seed in range(_CHAINS):
        chain = obeying(filled, random.Random(seed))
        lost = first_loss(chain)
        if lost is not None:
            raise Refused(
                f"A chain that obeys it: {orders(chain)}. After a gap of "
                f"{duration(lost.gap)} a request failed between {lost.ends}.",
                _hint(filled, lost.hop),
            )
    return Verdict(
        True,
        f"{_CHAINS} chains that obey it, and no gap around any of their timers fails: "
        "the client end of every hop must be the shorter one, "
        f"by more than {ROOM}.",
    )


def _filled(sentence: object) -> dict[str, str]:
    """The sentence, if each of its blanks holds one of the words that it may hold."""
    if not isinstance(sentence, Mapping) or set(sentence) != set(_BLANKS):
        raise Refused(f"A sentence is a dict with the blanks {options(_BLANKS)}.")
    for blank, allowed in _BLANKS.items():
        said = sentence[blank]
        if not isinstance(said, str) or said not in allowed:
            empty = "is still empty" if said is None else f"says {shown(said)}"
            raise Refused(f'"{blank}" {empty}; allowed: {options(allowed)}.')
    return dict(sentence)


def obeying(sentence: Mapping[str, str], chance: random.Random) -> Scenario:
    """A chain whose timers are as the sentence says, and as bad as it allows.

    The margin is just above what the sentence asks for; a hop of which it says
    nothing has a pool that keeps its connections too long.
    """
    hops = []
    for name, place in (("alb", HOPS[0]), ("envoy", HOPS[1])):
        delay = round(chance.uniform(0.004, 0.04), 4)
        server = round(chance.uniform(3.0, 60.0), 2)
        asked = MARGINS.index(sentence["by more than"]) * delay
        apart = asked + 0.3 * delay
        if sentence["of"] not in (place, HOPS[2]):
            pool = 4.0 * server
        elif sentence["shorter"] == ENDS[0]:
            pool = server - apart
        else:
            pool = server + apart
        hops.append(
            Hop(
                name=name,
                pool=Pool(idle_timeout=round(pool, 6)),
                link=Link(delay=delay),
                server=Server(idle_timeout=server),
            )
        )
    return Scenario(name="an unseen chain", hops=tuple(hops))


def _hint(sentence: Mapping[str, str], hop: int) -> str:
    if sentence["shorter"] == ENDS[1]:
        return (
            "The shorter server closes while the client end still keeps the "
            "connection. Whoever sends requests must be the one who gives up."
        )
    if sentence["of"] != HOPS[2]:
        other = HOPS[hop]
        return f"Your sentence leaves {other} to chance, and there it went wrong."
    return (
        "The order is right, the margin is not: the FIN needs one delay to arrive, "
        "and the request needs another."
    )

"""Which knobs of a chain an answer has turned."""

from __future__ import annotations

from labkit.settings import Scenario, knobs


def turned(before: Scenario, now: Scenario) -> list[str]:
    """The dotted paths at which two chains of the same length differ.

    A value that follows from another one, such as a personality's default, counts:
    it is what the chain does. Names and the seed change nothing and are left out.
    """
    paths = [knob.path for knob in knobs(len(before.hops))]
    silent = ("name", "seed")
    return [
        path
        for path in paths
        if path.rpartition(".")[2] not in silent and before.get(path) != now.get(path)
    ]

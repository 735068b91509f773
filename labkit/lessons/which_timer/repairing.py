"""Exercises 1 to 4 of the timers: each chain is mended by one knob."""

from __future__ import annotations

from itertools import pairwise

from labkit.lessons import answers
from labkit.lessons.answers import Refused, number_of, shown
from labkit.lessons.chains import turned
from labkit.lessons.probes import first_loss
from labkit.lessons.telling import orders
from labkit.lessons.verdict import Verdict, check
from labkit.lessons.which_timer.chains import broken
from labkit.lessons.which_timer.mistakes import hint
from labkit.settings import Scenario
from labkit.tables import Tabular, tabular
from labkit.theory import margin, safe

_NOT_YOURS = ("seed", "name", "traffic.", "origin.", "lab.")
# A mended chain stays mended on a wire that is somewhat faster or slower; the page
# names these factors.
WIRES = (1.0, 0.6, 1.5)
# Two timers that are no further apart than this are not told apart, in seconds.
_HAIR = 1e-4


@check
def check_chain(number: object, mended: object) -> Verdict:
    """Is the chain of this number free of races, with one knob turned?

    Any knob of a pool or a server counts. Requests are sent after gaps around every
    timer of every hop, on the wires that the page names: each must be answered 200
    and executed once.
    """
    chains, which = broken(), number_of(number)
    if which is None or which not in chains:
        raise Refused(f"There is no chain {shown(number)}; there are 1 to 4.")
    before = chains[int(which)]
    example = f'Write which_timer.broken()[{number}].replace("hop....", value).'
    chain = answers.scenario(mended, len(before.hops), example)
    return _tried(chain, _one_knob(before, chain))


def _tried(mended: Scenario, path: str) -> Verdict:
    """The first wire on which a request is lost or nobody can tell; else passed."""
    for wire in WIRES:
        tried = _on_another_wire(mended, wire)
        lost = first_loss(tried)
        if lost is not None:
            told = f"{_wire(wire)} {lost.request} {lost.what}"
            told += f"; it failed between {lost.ends}." if lost.gaps else "."
            raise Refused(told, hint(path, lost))
        if (close := _too_close(tried)) is not None:
            raise Refused(
                f"{_wire(wire)} it is too close to tell: {close}.",
                "No real timer is that exact. Leave a few milliseconds more.",
            )
    return Verdict(True, _passed(mended, path))


def knobs_turned(before: Scenario, after: Scenario) -> list[str]:
    """The paths of the knobs that differ; a personality brings its own defaults along
    and is one knob."""
    paths = turned(before, after)
    for path in paths:
        if not turned(before.replace(path, after.get(path)), after):
            return [path]
    return paths


def _one_knob(before: Scenario, after: Scenario) -> str:
    """The path of the knob that was turned; Refused if it is none, or not one."""
    if after.lab.schedule:
        raise Refused("lab.schedule is not yours: the timers stay as they are.")
    paths = knobs_turned(before, after)
    taboo = [path for path in paths if _is_taboo(path)]
    if taboo:
        raise Refused(
            f"{taboo[0]} is not yours to change: the wire, the traffic and the "
            "application stay as they are.",
            "Turn a knob of a pool or of a server.",
        )
    if not paths:
        raise Refused(
            "Nothing has been turned yet.",
            f"Read the order of its timers: {orders(before)}.",
        )
    if len(paths) > 1:
        raise Refused(
            f"{len(paths)} knobs were turned: {', '.join(paths)}. One is enough.",
            "Which hop fails? Only its two timers matter.",
        )
    return paths[0]


def _is_taboo(path: str) -> bool:
    return path.startswith(_NOT_YOURS) or path.split(".")[2:3] in (["link"], ["name"])


def _on_another_wire(scenario: Scenario, times: float) -> Scenario:
    changes = {
        f"hop.{n}.link.delay": round(times * hop.link.delay, 6)
        for n, hop in enumerate(scenario.hops)
    }
    return scenario.replace_all(changes)


def _wire(times: float) -> str:
    """Which of the wires, as the beginning of a sentence."""
    return "On this wire" if times == 1.0 else f"On a wire {times:g} times as long"


def _too_close(scenario: Scenario) -> str | None:
    """The hop whose margin is neither there nor not, and what it is."""
    for hop, (near, far) in enumerate(pairwise(scenario.parties)):
        if abs(margin(scenario.hops[hop])) <= _HAIR:
            return (
                f"between {near} and {far} the timers are a round trip apart, "
                "to within a tenth of a millisecond"
            )
    return None


def _passed(mended: Scenario, path: str) -> str:
    """What keeps the requests safe: the order of the timers, or something else."""
    told = "Every request around any timer was answered 200 and executed once, on "
    told += f"{len(WIRES)} wires"
    if all(map(safe, mended.hops)):
        return f"{told}: {orders(mended)}."
    told += f". {path} sees to it, though the order of the timers is the old one."
    if ".retry." in path:
        told += (
            " A retry repeats what somebody may have executed, and several old "
            "connections at once can use it up: notebook 08."
        )
    return told


# -- what to turn ----------------------------------------------------------------------

_SHOWN = {
    "pool": (
        *("idle_timeout", "max_connection_duration", "max_requests_per_connection"),
        *("honours_hint", "retry.retry_on"),
    ),
    "server": (
        *("idle_timeout", "drain_timeout", "delayed_close_timeout"),
        *("max_connection_duration", "max_requests_per_connection"),
        *("announce", "hint", "farewell"),
    ),
}


def told_knobs(number: int) -> Tabular:
    """The knobs of the exercise of this number, with their values as it is given."""
    chain = broken()[number]
    ends = [f"hop.{hop}.{end}" for hop in range(len(chain.hops)) for end in _SHOWN]
    names = dict.fromkeys(name for end in _SHOWN.values() for name in end)
    rows = (
        {"knob": name} | {end: _value(chain, end, name) for end in ends}
        for name in names
    )
    return tabular(
        rows, f"The knobs, as they are set (times in seconds). {_hops(chain)}"
    )


def _hops(chain: Scenario) -> str:
    """What the numbers of the hops mean in this chain."""
    pairs = pairwise(chain.parties)
    return "; ".join(f"hop.{n}: {near} → {far}" for n, (near, far) in enumerate(pairs))


def _value(chain: Scenario, end: str, name: str) -> str:
    """As one writes it in Python; no limit is math.inf, what an end lacks is empty."""
    if name not in _SHOWN[end.rpartition(".")[2]]:
        return ""
    value = chain.get(f"{end}.{name}")
    if isinstance(value, float):
        return f"{value:g}"
    return repr(list(value) if isinstance(value, tuple) else value)

"""The one thing that a sequence diagram says, in a sentence; and its alt text."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.figures.diagrams.attribution import NOBODY
from labkit.figures.diagrams.run_like import RunLike
from labkit.figures.diagrams.selection import Selection, died
from labkit.records.trace import Exchange

_FATES = {
    "ServerDisconnected": "lost its connection before an answer came",
    "ConnectionReset": "had its connection reset before an answer came",
    "ConnectRefused": "was refused a connection",
    "ConnectTimeout": "waited in vain for a connection",
    "NoUpstream": "found no server to go to",
    "Overflow": "found the pool and its queue full",
    "Timeout": "got no answer in time",
    "ProtocolError": "got an answer that is not HTTP",
}


def titles(exchanges: Sequence[Exchange], selection: Selection) -> list[str]:
    """What happened to the request that the picture is about; the fullest first."""
    if selection.focus == NOBODY:
        return [_all_answered(len(exchanges))]
    focus = exchanges[selection.focus]
    who, what = f"Request {name(focus)}", _verb(focus, selection)
    if focus.executed > 1:
        return _executed_again(who, focus)
    if focus.failed:
        return [f"{who} {what}: {outcome(focus)}", f"{who} failed: {outcome(focus)}"]
    if focus.attempts > 1:
        return [
            f"{who} {what}; a retry saved it",
            f"A retry saved request {name(focus)}",
        ]
    return [f"{who} was answered: {outcome(focus)}"]


def _executed_again(who: str, focus: Exchange) -> list[str]:
    times = "twice" if focus.executed == 2 else f"{focus.executed} times"
    end = "failed" if focus.failed else "answered once"
    told = f"{who} was executed {times}"
    return [f"{told} and {end}: {outcome(focus)}", told]


def _all_answered(count: int) -> str:
    if count == 0:
        return "No request was sent"
    if count == 1:
        return "The request was answered"
    return f"All {count} requests were answered"


def name(exchange: Exchange) -> str:
    """How people call it: the first request is number 1."""
    return str(exchange.number + 1)


def outcome(exchange: Exchange) -> str:
    """The status and Envoy's flag for it, or that there was no answer."""
    if exchange.status is None:
        return "no answer"
    flags = "" if exchange.flags == "-" else f" {exchange.flags}"
    return f"{exchange.status}{flags}"


def _verb(exchange: Exchange, selection: Selection) -> str:
    met = died(selection)
    if met is not None and met.exchange == selection.focus:
        return "met a closing connection"
    return _FATES.get(exchange.error or "", "failed")


def facts(
    run: RunLike, exchanges: Sequence[Exchange], selection: Selection
) -> list[str]:
    """What stands below the title, most important first."""
    told = []
    failed = sum(e.failed for e in exchanges)
    if failed:
        where = _where(run, exchanges, selection, failed)
        told.append(f"{failed} of {len(exchanges)} requests failed{where}")
    elif selection.focus != NOBODY:
        told.append(f"none of {len(exchanges)} requests failed")
    told += [_connections(run), f"{run.engine} engine"]
    return [fact for fact in told if fact]


def _connections(run: RunLike) -> str:
    """How many connections each hop opened."""
    parties = run.scenario.parties
    opened = [0] * (len(parties) - 1)
    for life in run.lives:
        opened[life.hop] += 1
    counted = zip(opened, parties[1:], strict=True)
    told = [f"{n} to {far}" for n, far in counted]
    noun = "connection" if opened[0] == 1 else "connections"
    return f"{told[0].replace(' ', f' {noun} ', 1)}, {', '.join(told[1:])}".rstrip(", ")


def _where(
    run: RunLike, exchanges: Sequence[Exchange], selection: Selection, failed: int
) -> str:
    hop = exchanges[selection.focus].hop if selection.focus != NOBODY else None
    if hop is None:
        return ""
    near, far = run.scenario.parties[hop : hop + 2]
    this = ", this one" if failed > 1 else ","
    return f"{this} on the hop {near} → {far}"


def alt_text(run: RunLike) -> str:
    """A picture of this run for those who cannot see it."""
    return f"Sequence diagram. {run.summary()}"

"""The one thing that a sequence diagram says, in a sentence; and its alt text."""

from __future__ import annotations

from labkit.figures.owners import NOBODY
from labkit.figures.record import RunLike
from labkit.figures.story import Story, died
from labkit.wire import Exchange

_FATES = {
    "ServerDisconnected": "lost its connection before an answer came",
    "ConnectionReset": "had its connection reset before an answer came",
    "ConnectRefused": "was refused a connection",
    "ConnectTimeout": "waited in vain for a connection",
    "Overflow": "found the pool and its queue full",
    "Timeout": "got no answer in time",
    "ProtocolError": "got an answer that is not HTTP",
}


def title(run: RunLike, story: Story) -> str:
    """What happened to the request that the picture is about."""
    if story.hero == NOBODY:
        return _all_answered(len(run.exchanges))
    hero = run.exchanges[story.hero]
    if hero.failed:
        return f"Request {name(hero)} {_verb(hero, story)}: {outcome(hero)}"
    if hero.attempts > 1:
        return f"Request {name(hero)} {_verb(hero, story)}; a retry saved it"
    return f"Request {name(hero)} was answered: {outcome(hero)}"


def _all_answered(count: int) -> str:
    if count == 0:
        return "No request was sent"
    return "The request was answered" if count == 1 else f"All {count} requests were answered"


def name(exchange: Exchange) -> str:
    """How people call it: the first request is number 1."""
    return str(exchange.number + 1)


def outcome(exchange: Exchange) -> str:
    """The status and Envoy's flag for it, or that there was no answer."""
    if exchange.status is None:
        return "no answer"
    flags = "" if exchange.flags == "-" else f" {exchange.flags}"
    return f"{exchange.status}{flags}"


def _verb(exchange: Exchange, story: Story) -> str:
    met = died(story)
    if met is not None and met.exchange == story.hero:
        return "met a closing connection"
    return _FATES.get(exchange.error or "", "failed")


def facts(run: RunLike, story: Story) -> list[str]:
    """What stands below the title, most important first."""
    told = []
    failed = sum(e.failed for e in run.exchanges)
    if failed:
        where = _where(run, story)
        told.append(f"{failed} of {len(run.exchanges)} requests failed{where}")
    told.append(f"{run.engine} engine")
    told.append("time runs down, to scale but for the grey breaks")
    return told


def _where(run: RunLike, story: Story) -> str:
    hop = run.exchanges[story.hero].hop if story.hero != NOBODY else None
    if hop is None:
        return ""
    near, far = run.scenario.parties[hop : hop + 2]
    return f", this one between {near} and {far}" if near != far else ""


def alt_text(run: RunLike) -> str:
    """A picture of this run for those who cannot see it."""
    return f"Sequence diagram. {run.summary()}"

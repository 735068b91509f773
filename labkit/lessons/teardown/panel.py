"""How a connection dies in the lab: the story of one, from the records of its run."""

from __future__ import annotations

from labkit.lab import Run
from labkit.lessons.probes import life_of
from labkit.lessons.teardown.plays import DELAY
from labkit.records.tcp_states import CLIENT, SERVER
from labkit.records.teardown import Note, Teardown
from labkit.records.trace import Kind, Trace
from labkit.settings import Hop, Link, Scenario, Server, Traffic

_IDLE, _DELAYED = "hop.0.server.idle_timeout", "hop.0.server.delayed_close_timeout"
PRESETS = {
    "served": {_IDLE: 3.0},
    "against the FIN": {_IDLE: 2.06, _DELAYED: 0.25},
    "long gone": {_IDLE: 1.0},
}


def last_request() -> Scenario:
    """Two requests to a server that closes after 2 s, the second of them late."""
    server = Server(idle_timeout=2.0, delayed_close_timeout=1.0)
    hop = Hop(name="client", link=Link(delay=DELAY), server=server)
    return Scenario(
        name="the second request",
        traffic=Traffic(arrivals="gaps", gaps=(2.3,), requests=2),
        hops=(hop,),
    )


def told_by(run: Run) -> Teardown:
    """What both ends of the last hop's first connection did and heard."""
    hop = len(run.scenario.hops) - 1
    delay = run.scenario.hops[hop].link.delay
    events = [e for e in run.trace.of(hop, 1) if _counts(e.kind, e.sent, run, delay)]
    notes = sorted([*_outcomes(run, hop), *_goodbyes(run, hop)], key=lambda n: n.at)
    times = [n.at for n in notes] + [e.arrived or e.sent for e in events]
    near, far = run.scenario.parties[hop : hop + 2]
    failed = f"{run.failed} of {run.requests} requests failed"
    return Teardown(
        f"{failed} around the server's goodbye",
        (near, far),
        run.engine,
        delay,
        Trace.of_events(events),
        tuple(notes),
        max(times),
    )


def _counts(kind: Kind, sent: float, run: Run, delay: float) -> bool:
    """The lab tears its chain down after the last outcome: no part of the story."""
    if sent < run.ended - 1e-9:
        return True
    return kind is Kind.RST and sent <= run.ended + 2 * delay


def _outcomes(run: Run, hop: int) -> list[Note]:
    notes = []
    for e in run.exchanges:
        if e.done is None:
            continue
        name = f"request {e.number + 1}"
        if e.failed:
            notes.append(Note(e.done, CLIENT, f"{name}: no answer", is_bad=True))
        elif e.connections[hop] == 1:
            notes.append(Note(e.done, CLIENT, f"{name}: {e.status}"))
        else:
            notes.append(Note(e.sent, CLIENT, f"{name}: reconnects"))
    return notes


def _goodbyes(run: Run, hop: int) -> list[Note]:
    life = life_of(run, hop, 1)
    if life is None or life.closed is None or life.closed >= run.ended:
        return []
    side = CLIENT if life.closed_by == "pool" else SERVER
    deaf = run.scenario.hops[hop].server.delayed_close_timeout
    if side == CLIENT or not deaf:
        return [Note(life.closed, side, f"closes: {life.why.replace('_', ' ')}")]
    return [
        Note(life.closed - deaf, SERVER, "stops reading"),
        Note(life.closed, SERVER, "closes"),
    ]

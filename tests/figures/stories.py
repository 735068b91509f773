"""Runs for the figures: real virtual ones by their knobs, and one written by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes

import labkit
from labkit.figures.paper.matplotlib_pen import figure_of
from labkit.records.teardown import Note, Teardown
from labkit.records.trace import (
    ConnectionLife,
    Direction,
    Exchange,
    Kind,
    Trace,
    WireEvent,
)
from labkit.settings import (
    Event,
    Hop,
    LabSettings,
    Link,
    Origin,
    Pool,
    Retry,
    Scenario,
    Server,
    Traffic,
)

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM


def scenario(
    gaps: tuple[float, ...] = (3.0, 1.0, 4.985, 2.0, 2.0),
    requests: int = 6,
    delays: tuple[float, ...] = (0.0, 0.01),
    keepalive: float = 5.0,
    pool: float = 60.0,
    retry: tuple[str, ...] = (),
    drain: float = 0.0,
    deaf: float = 0.0,
    forget_after: float = float("inf"),
    burst: int = 1,
    service_time: float = 0.0,
) -> Scenario:
    """A chain whose last hop is the one that may race."""
    last = len(delays) - 1
    return Scenario(
        traffic=Traffic(arrivals="gaps", gaps=gaps, requests=requests, burst=burst),
        hops=tuple(
            Hop(
                pool=Pool(
                    idle_timeout=pool if hop == last else float("inf"),
                    retry=Retry(retry_on=retry),
                ),
                link=Link(delay=delay, forget_after=forget_after),
                server=Server(
                    idle_timeout=keepalive if hop == last else float("inf"),
                    drain_timeout=drain if hop == last else 0.0,
                    delayed_close_timeout=deaf if hop == last else 0.0,
                ),
            )
            for hop, delay in enumerate(delays)
        ),
        origin=Origin(service_time=service_time),
    )


def rolled(replicas: int = 3, action: str = "deploy", **more: Any) -> labkit.Run:
    """Servers that are replaced one after the other, or that die all at once."""
    if action == "deploy":
        more = {"overlap": True, "endpoint_lag": 0.5} | more
    event = Event(at=2.0, action=action, path="hop.1", value=1.0, **more)
    server = Server(replicas=replicas)
    return labkit.run(
        Scenario(
            traffic=Traffic(arrivals="periodic", rate=20.0, requests=200),
            hops=(Hop(server=Server(personality="envoy")), Hop(server=server)),
            origin=Origin(service_time=0.1),
            lab=LabSettings(schedule=(event,)),
        )
    )


def ran(**knobs: object) -> labkit.Run:
    """The virtual run of :func:`scenario` with these knobs."""
    return labkit.run(scenario(**knobs))  # type: ignore[arg-type]


@dataclass
class Written:
    """A run that nobody ran."""

    scenario: Scenario
    exchanges: tuple[Exchange, ...]
    trace: Trace
    lives: list[ConnectionLife] = field(default_factory=list)
    engine: str = "virtual"
    ended: float = 0.0

    def summary(self) -> str:
        return "Written by hand."


def exchange(number: int, sent: float, done: float, **told: object) -> Exchange:
    """A request that was answered, unless told otherwise."""
    facts: dict[str, object] = {
        "method": "GET",
        "status": 200,
        "failed": False,
        "error": None,
        "hop": None,
        "flags": "-",
        "details": "",
        "attempts": 1,
        "executed": 1,
        "connections": (1,),
    }
    return Exchange(number=number, sent=sent, done=done, **(facts | told))  # type: ignore[arg-type]


def one_lost_request() -> Written:
    """One hop, d = 10 ms: a request leaves 5 ms before the FIN that kills it."""
    events = [
        WireEvent(0.0, 0.01, 0, 1, UP, Kind.SYN),
        WireEvent(0.01, 0.02, 0, 1, DOWN, Kind.SYN),
        WireEvent(0.02, 0.03, 0, 1, UP, Kind.DATA, 58, "GET / HTTP/1.1"),
        WireEvent(0.03, 0.04, 0, 1, DOWN, Kind.DATA, 90, "HTTP/1.1 200 OK"),
        WireEvent(5.025, 5.035, 0, 1, UP, Kind.DATA, 58, "GET / HTTP/1.1"),
        WireEvent(5.03, 5.04, 0, 1, DOWN, Kind.FIN),
        WireEvent(5.035, 5.045, 0, 1, DOWN, Kind.RST),
    ]
    return Written(
        scenario=scenario(delays=(0.01,)),
        exchanges=(
            exchange(0, 0.0, 0.04),
            exchange(
                1,
                5.025,
                5.04,
                status=None,
                failed=True,
                error="ServerDisconnected",
                hop=0,
                executed=0,
            ),
        ),
        trace=Trace.of_events(events),
        lives=[ConnectionLife(0, 1, 0.0, 5.03, "server", "idle timeout", 2)],
        ended=5.04,
    )


def late_write(delay: float = 0.02, wait: float = 1.0) -> Teardown:
    """A request, an answer, a FIN, and much later a request that is reset."""
    sends = [
        (0.0, UP, Kind.SYN, ""),
        (delay, DOWN, Kind.SYN, ""),
        (2 * delay, UP, Kind.DATA, "GET /a/long/way/to/go/for/a/word HTTP/1.1"),
        (3 * delay, DOWN, Kind.DATA, "HTTP/1.1 200 OK"),
        (4 * delay, DOWN, Kind.FIN, ""),
        (wait, UP, Kind.DATA, ""),
        (wait + delay, DOWN, Kind.RST, ""),
    ]
    events = [
        WireEvent(sent, sent + delay, 0, 1, way, kind, 30, line)
        for sent, way, kind, line in sends
    ]
    notes = (
        Note(2 * delay, "client", "write: ok"),
        Note(4 * delay, "server", "closes"),
        Note(wait, "client", "write: ok"),
        Note(wait + 3 * delay, "client", "write: broken pipe", is_bad=True),
    )
    trace = Trace.of_events(events)
    ended = wait + 3 * delay
    names = ("client", "server")
    return Teardown("A late write", names, "virtual", delay, trace, notes, ended)


def overlaps(ax: Axes) -> list[tuple[str, str]]:
    """Texts that touch each other or leave the figure, by their extents on paper."""
    canvas = figure_of(ax).canvas
    renderer = canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in ax.texts]
    wide, high = canvas.get_width_height()
    found = [
        (text, "the edge")
        for text, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > wide + 1 or box.y1 > high + 1
    ]
    for place, (text, box) in enumerate(boxes):
        found += [(text, other) for other, b in boxes[place + 1 :] if _touch(box, b)]
    return found


def _touch(a: object, b: object) -> bool:
    return bool(
        a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1  # type: ignore[attr-defined]
    )


def texts(ax: Axes) -> list[str]:
    """Every text on the axes."""
    return [text.get_text() for text in ax.texts]

"""Neighbours: products as nobody configured them, and which of two gives up first."""

from __future__ import annotations

import math
from typing import NamedTuple

from labkit.lessons.which_timer.maps import timers
from labkit.reference import catalogue
from labkit.settings import Hop, Link, Scenario
from labkit.tables import Tabular, tabular
from labkit.theory import duration, ordering

# Beside the pairs of a panel: client, server, and the server's version if it is not
# the newest. Older versions, the same program elsewhere, Istio.
_MORE = (
    ("AWS ALB (targets)", "Node.js http.Server", "20.17"),
    ("AWS ALB (targets)", "Puma", "6.6"),
    ("Istio (inbound sidecar to app)", "Spring Boot (Tomcat)", None),
    ("Envoy (upstream)", "Tomcat (standalone server.xml)", None),
    ("AWS ALB (targets)", "ASP.NET Core Kestrel", None),
)


def neighbours(delay: float = 0.005) -> Tabular:
    """Products as nobody configured them: who keeps connections in front of whom.

    ``delay`` is the one-way delay between them, in seconds.
    """
    pairs = [*catalogue.presets().values(), *(_pair(*each) for each in _MORE)]
    return tabular(
        {
            "client end, in front": _keeps(pair.client),
            "server end, behind": _keeps(pair.server),
            "who gives up first": _verdict(pair, delay),
        }
        for pair in pairs
    )


def _pair(client: str, server: str, version: str | None) -> catalogue.Preset:
    behind = catalogue.idle(server, "server", version)
    return catalogue.Preset(catalogue.idle(client, "client"), behind)


def _keeps(row: catalogue.Default) -> str:
    """A product with its number; with its version, where another one has another."""
    name = f"{row.name}, {row.version}" if _differs(row) else row.name
    if not row.keeps_connections:
        return f"{name}: keeps none"
    kept = "no limit" if math.isinf(row.seconds) else duration(row.seconds)
    return f"{name}: {kept}"


def _differs(row: catalogue.Default) -> bool:
    """Has another version of this product another number?"""
    return any(
        (each.name, each.side, each.knob) == (row.name, row.side, row.knob)
        and each.seconds != row.seconds
        for each in catalogue.defaults()
    )


def _verdict(preset: catalogue.Preset, delay: float) -> str:
    if not preset.server.keeps_connections:
        return "the server closes after every response and says so: safe"
    return ordering(_hop(delay).replace_all(preset.changes(hop=0)), 0)


def _hop(delay: float) -> Scenario:
    return Scenario(hops=(Hop(link=Link(delay=delay)),))


# -- the same pairs on a map and in a panel --------------------------------------------

# Pairs of the catalogue that lie on the map, by what they are called there.
_ON_THE_MAP = (
    ("AWS ALB", "Node.js http.Server", "ALB, newer Node"),
    ("AWS ALB", "Puma", "ALB, Puma"),
    ("nginx", "gunicorn (gthread, gevent, asgi)", "nginx, gunicorn"),
    ("nginx", "aiohttp.web.run_app", "nginx, aiohttp"),
    ("Go http.DefaultTransport", "Jetty server", "Go, Jetty"),
    ("Linkerd2-proxy (to app, HTTP/1)", "uvicorn", "Linkerd, uvicorn"),
)


class Product(NamedTuple):
    """A pair on the map of two timers: the server's across and the pool's up (s)."""

    right: float
    up: float
    name: str


def products() -> list[Product]:
    """Neighbours as nobody configured them, as points of the map of two timers."""
    return [
        Product(pair.server.seconds, pair.client.seconds, name)
        for client, server, name in _ON_THE_MAP
        for pair in (catalogue.pair(client, server),)
    ]


def front_presets() -> dict[str, dict[str, float]]:
    """Pairs of products as they come out of the box, for a panel of one hop."""
    wanted = timers(0, (), ())
    return {
        name: {path: changes[path] for path in wanted}
        for name, changes in catalogue.for_panel(hop=0).items()
        if all(0.0 < changes[path] < 1e6 for path in wanted)
    }

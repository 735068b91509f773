"""Neighbours: products as nobody configured them, and which of two gives up first."""

from __future__ import annotations

import math
from dataclasses import dataclass

from labkit import presets
from labkit.settings import Hop, Link, Scenario
from labkit.theory import duration, ordering


@dataclass(frozen=True)
class Neighbours:
    """A table of pairs of products and who of each gives up first."""

    rows: tuple[tuple[str, str, str], ...]

    def __repr__(self) -> str:
        return "\n".join(" | ".join(row) for row in self.rows)

    def _repr_markdown_(self) -> str:
        head, *body = (f"| {' | '.join(row)} |" for row in self.rows)
        return "\n".join([head, "|---|---|---|", *body])


# Beside the pairs of a panel: client, server, and the server's version if it is not
# the newest. Older versions, the same program elsewhere, Istio.
_MORE = (
    ("AWS ALB (targets)", "Node.js http.Server", "20.17"),
    ("AWS ALB (targets)", "Puma", "6.6"),
    ("Istio (inbound sidecar to app)", "Spring Boot (Tomcat)", None),
    ("Envoy (upstream)", "Tomcat (standalone server.xml)", None),
    ("AWS ALB (targets)", "ASP.NET Core Kestrel", None),
)


def neighbours(delay: float = 0.005) -> Neighbours:
    """Products as nobody configured them: who keeps connections in front of whom.

    ``delay`` is the one-way delay between them, in seconds.
    """
    pairs = [*presets.presets().values(), *(_pair(*each) for each in _MORE)]
    rows = [(_keeps(p.client), _keeps(p.server), _verdict(p, delay)) for p in pairs]
    head = ("client end, in front", "server end, behind", "who gives up first")
    return Neighbours((head, *rows))


def _pair(client: str, server: str, version: str | None) -> presets.Preset:
    behind = presets.idle(server, "server", version)
    return presets.Preset(presets.idle(client, "client"), behind)


def _keeps(row: presets.Default) -> str:
    """A product with its number; with its version, where another one has another."""
    name = f"{row.name}, {row.version}" if _differs(row) else row.name
    if not row.keeps_connections:
        return f"{name}: keeps none"
    kept = "no limit" if math.isinf(row.seconds) else duration(row.seconds)
    return f"{name}: {kept}"


def _differs(row: presets.Default) -> bool:
    """Has another version of this product another number?"""
    return any(
        (each.name, each.side, each.knob) == (row.name, row.side, row.knob)
        and each.seconds != row.seconds
        for each in presets.defaults()
    )


def _verdict(preset: presets.Preset, delay: float) -> str:
    if not preset.server.keeps_connections:
        return "the server closes after every response and says so: safe"
    return ordering(_hop(delay).replace_all(preset.changes(hop=0)), 0)


def _hop(delay: float) -> Scenario:
    return Scenario(hops=(Hop(link=Link(delay=delay)),))

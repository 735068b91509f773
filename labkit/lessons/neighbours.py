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


# Beside the pairs of a panel: what the same program does elsewhere, and Istio.
_MORE = (
    ("Istio (inbound sidecar to app)", "Spring Boot (Tomcat)"),
    ("Envoy (upstream)", "Tomcat (standalone server.xml)"),
    ("AWS ALB (targets)", "ASP.NET Core Kestrel"),
)


def neighbours(delay: float = 0.005) -> Neighbours:
    """Products as nobody configured them: who keeps connections in front of whom.

    ``delay`` is the one-way delay between them, in seconds.
    """
    pairs = [*presets.presets().values(), *(presets.pair(*pair) for pair in _MORE)]
    rows = [(_keeps(p.client), _keeps(p.server), _verdict(p, delay)) for p in pairs]
    head = ("client end, in front", "server end, behind", "who gives up first")
    return Neighbours((head, *rows))


def _keeps(row: presets.Default) -> str:
    """A product with its number; the table's name says which side or worker it is."""
    if not row.keeps_connections:
        return f"{row.name}: keeps none"
    kept = "no limit" if math.isinf(row.seconds) else duration(row.seconds)
    return f"{row.name}: {kept}"


def _verdict(preset: presets.Preset, delay: float) -> str:
    if not preset.server.keeps_connections:
        return "the server closes after every response and says so: safe"
    return ordering(_hop(delay).replace_all(preset.changes(hop=0)), 0)


def _hop(delay: float) -> Scenario:
    return Scenario(hops=(Hop(link=Link(delay=delay)),))

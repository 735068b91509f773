"""Draws the picture of the README, ``docs/race.svg``."""

from __future__ import annotations

from pathlib import Path

import labkit
from labkit.figures.diagrams.sequence import sheet
from labkit.figures.paper import svg_pen

TARGET = Path(__file__).resolve().parent.parent / "docs" / "race.svg"


def scenario() -> labkit.Scenario:
    """Three requests; the third leaves while the upstream's FIN is on its way."""
    return labkit.Scenario(
        name="The upstream closes at 5 s",
        traffic=labkit.Traffic(arrivals="gaps", gaps=(2.0, 4.985), requests=3),
        hops=(
            labkit.Hop(),
            labkit.Hop(
                name="envoy",
                link=labkit.Link(delay=0.01),
                server=labkit.Server(idle_timeout=5.0),
            ),
        ),
    )


def picture() -> str:
    """The picture as SVG."""
    run = labkit.run(scenario(), trace=True, progress=False)
    return svg_pen.document(sheet(run), run.scenario.name, run.summary())


if __name__ == "__main__":
    TARGET.write_text(picture(), encoding="utf-8")

"""How long a reader waits for a picture: behind a slider, as SVG, as PNG."""

from __future__ import annotations

from statistics import median

import labkit
from bench import browser
from bench.rows import Row, spread, timed
from labkit.figures.diagrams.sequence import sheet
from labkit.figures.paper import matplotlib_pen, svg_pen
from labkit.widgets.model import default_panel


def drawing(sixty: labkit.Scenario) -> list[Row]:
    """Moves of the landing page's slider, and a diagram of sixty exchanges."""
    run = labkit.run(sixty, progress=False, trace=True)
    return [
        _row("slider to new picture in the kernel", _moves(), 0.025),
        *_in_chromium(),
        _row("sequence diagram of 60 exchanges as SVG", _svgs(run), 0.010),
        _row("sequence diagram of 60 exchanges as PNG", _pngs(run), None),
    ]


def _row(what: str, took: list[float], most: float | None) -> Row:
    value = median(took)
    wanted = "reported" if most is None else f"<= {most:g}"
    holds = None if most is None else value <= most
    return Row(what, value, "s", len(took), wanted, holds, spread(took))


def _moves() -> list[float]:
    model = default_panel()
    path = model.knobs[1].path

    def move(value: float) -> str:
        model.set(path, value)
        return model.redraw().html

    move(4.5)
    positions = [3.0, 4.0, 5.0, 6.0, 8.0] * 6
    return [timed(lambda v=value: move(v)) for value in positions]  # type: ignore[misc]


def _in_chromium() -> list[Row]:
    try:
        took = browser.slider_to_pixels()
    except LookupError as missing:
        print(f"slider to new picture in Chromium: {missing}")
        return []
    return [_row("slider to new picture in Chromium", took, 0.1)]


def _svgs(run: labkit.Run) -> list[float]:
    def write() -> str:
        return svg_pen.document(sheet(run), "A title", "In words.")

    write()
    return [timed(write) for _ in range(20)]


def _pngs(run: labkit.Run) -> list[float]:
    def write() -> bytes:
        return matplotlib_pen.png(
            matplotlib_pen.figure_of(matplotlib_pen.drawn(sheet(run)))
        )

    write()
    return [timed(write) for _ in range(20)]

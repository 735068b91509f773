"""A heat map of C against T, its line of safety, its cells of zero, the reader."""

from __future__ import annotations

import math

import numpy as np
import pytest
from counts import POOL, SERVER, grid, scenario
from matplotlib.colors import to_rgb
from stories import overlaps, texts

from labkit import figures
from labkit.figures import heatmap
from labkit.figures.grids import Counted
from labkit.figures.heatmap import _SHADES, shade, told
from labkit.settings import Scenario

INF = math.inf


def lightness(colour: str) -> float:
    """Relative luminance, as a grey print shows it (Rec. 709)."""
    red, green, blue = to_rgb(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_more_failures_are_darker_in_grey_print_too() -> None:
    greys = [lightness(shade(step)) for step in range(_SHADES)]
    assert greys == sorted(greys, reverse=True)
    assert greys[0] - greys[-1] > 0.5


def test_the_line_of_safety_has_its_formula() -> None:
    assert "C = T − RTT: safe below it" in texts(heatmap(grid(), scenario=scenario()))
    drains = scenario(drain=5.0)
    ax = heatmap(grid(drain=5.0), scenario=drains)
    assert "C = I + D − RTT: safe below it" in texts(ax)
    assert "I: idle timeout of the server" in texts(ax)


@pytest.mark.parametrize("drain", [0.0, 5.0])
def test_nothing_fails_below_the_line(drain: float) -> None:
    from labkit.figures.heatmap import _View

    counts = grid(size=40, drain=drain, n=10**9)
    safety = _View(counts, scenario(drain=drain)).safety
    assert safety is not None
    pool, server = counts.values
    for row, column in np.argwhere(counts.failed > 0):
        assert pool[row] > safety.y(server[column])
    assert math.isclose(safety.y(5.0), 4.98 + drain)


def test_a_line_can_be_told_for_any_two_timers_of_a_hop() -> None:
    from labkit.figures.heatmap import _View

    paths = (POOL, "hop.0.link.delay")
    counts = Counted(paths, ((1.0, 9.0), (0.01, 0.1)), np.ones((2, 2)), np.ones((2, 2)))
    safety = _View(counts, scenario()).safety
    assert safety is not None and math.isclose(safety.y(0.1), 4.8)


def test_cells_without_a_failure_say_of_how_many() -> None:
    ax = heatmap(grid(n=10_000), scenario=scenario())
    assert "0 of 10,000, below 0.038 %" in texts(ax)


def test_the_title_says_how_safe_the_reader_is() -> None:
    safe = heatmap(grid(), scenario=scenario(pool=4.0))
    assert "Safe below C = T − RTT; you are safe by 980 ms" in texts(safe)
    never = heatmap(grid(), scenario=scenario(server=INF))
    assert "your server never gives up" in texts(never)[0]
    saved = heatmap(grid(), scenario=scenario(), share=0.0)
    assert "above it you lose nothing" in texts(saved)[0]
    races = heatmap(grid(size=40), scenario=scenario())
    assert "you lose 0.1" in texts(races)[0]
    assert "Up to 0.36 % fail" in texts(heatmap(grid()))


def test_a_reader_off_the_map_stands_at_its_edge_and_is_told() -> None:
    assert "you are here" in texts(heatmap(grid(), scenario=scenario()))
    far = heatmap(grid(), scenario=scenario(pool=INF))
    assert "you are here, off the map" in texts(far)


def test_without_a_scenario_there_is_no_line_and_no_reader() -> None:
    words = texts(heatmap(grid()))
    assert "you are here" not in words and not any("safe below" in w for w in words)


def test_the_colours_have_a_bar_with_units() -> None:
    words = texts(heatmap(grid(n=10**6), scenario=scenario()))
    assert "failed requests" in words and {"0.1 %", "1 %"} <= set(words)


@pytest.mark.parametrize("ends", [(0.5, 120.0), (0.001, 0.002), (60.0, 86400.0)])
@pytest.mark.parametrize("pool", [0.001, 5.0, INF])
@pytest.mark.parametrize("server", [0.001, 60.0, INF])
def test_no_two_texts_touch_wherever_the_reader_is(
    pool: float, server: float, ends: tuple[float, float]
) -> None:
    ax = heatmap(grid(5, ends=ends), scenario=scenario(pool=pool, server=server))
    assert overlaps(ax) == []


@pytest.mark.parametrize("counts", [0, 1, 10_000])
def test_all_and_nothing_can_be_drawn(counts: int) -> None:
    full = Counted(
        (POOL, SERVER),
        ((1.0, 2.0, 4.0), (1.0, 2.0)),
        np.full((3, 2), 10_000),
        np.full((3, 2), counts),
    )
    assert overlaps(heatmap(full, scenario=scenario())) == []


def test_two_knobs_of_two_hops_have_no_common_line() -> None:
    two = Scenario(hops=(scenario().hops[0], scenario().hops[0]))
    counts = grid()
    far = Counted(
        (POOL, "hop.1.server.idle_timeout"),
        counts.values,
        counts.requests,
        counts.failed,
    )
    words = texts(heatmap(far, scenario=two))
    assert "you are here" in words and not any("safe below" in w for w in words)


def test_axes_are_reused_and_keep_their_size() -> None:
    ax = heatmap(grid(), scenario=scenario())
    first = figures.png(ax.figure)  # type: ignore[arg-type]
    assert heatmap(grid(5), ax) is ax
    heatmap(grid(), ax, scenario=scenario())
    assert figures.png(ax.figure) == first  # type: ignore[arg-type]


def test_the_alt_text_says_the_rule_and_the_counts() -> None:
    words = told(grid(n=10_000), scenario(pool=4.0))
    assert "Up: C: idle timeout of the pool." in words
    assert "you are safe by 980 ms" in words
    assert "of 144 cells: 0 of 10,000, below 0.038 %" in words
    assert words.endswith("The others: 0.02 % to 0.36 %.")

"""A heat map of C against T, its line of safety, its cells of zero, the reader."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb, to_rgba

from labkit import figures
from labkit.figures import heatmap
from labkit.figures.plots.grids import Counted
from labkit.figures.plots.heatmap import SHADES
from labkit.figures.plots.zones import RARE, SAFE, SEEN, Named
from labkit.settings import Scenario
from tests.figures.counts import POOL, SERVER, grid, scenario
from tests.figures.gallery import crowded
from tests.figures.stories import texts

INF = math.inf


def lightness(colour: str) -> float:
    """Relative luminance, as a grey print shows it (Rec. 709)."""
    red, green, blue = to_rgb(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_more_failures_are_darker_in_grey_print_too() -> None:
    greys = [lightness(shade) for shade in SHADES]
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
    from labkit.figures.plots.map_view import View

    counts = grid(size=40, drain=drain, n=10**9)
    safety = View(counts, scenario(drain=drain)).safety
    assert safety is not None
    pool, server = counts.values
    for row, column in np.argwhere(counts.failed > 0):
        assert pool[row] > safety.y(server[column])
    assert math.isclose(safety.y(5.0), 4.98 + drain)


def test_a_line_can_be_told_for_any_two_timers_of_a_hop() -> None:
    from labkit.figures.plots.map_view import View

    paths = (POOL, "hop.0.link.delay")
    counts = Counted(paths, ((1.0, 9.0), (0.01, 0.1)), np.ones((2, 2)), np.ones((2, 2)))
    safety = View(counts, scenario()).safety
    assert safety is not None and math.isclose(safety.y(0.1), 4.8)


def areas(ax: Axes, colour: str) -> list[list[tuple[float, float]]]:
    """The polygons of this colour, in mm of the sheet."""
    return [
        [(float(x), float(y)) for x, y in path.vertices]
        for each in ax.collections
        if isinstance(each, PolyCollection)
        for path, fill in zip(each.get_paths(), each.get_facecolor(), strict=True)
        if tuple(fill) == to_rgba(colour)
    ]


def test_the_two_sides_of_the_line_are_flat_areas_of_three_colours() -> None:
    ax = heatmap(grid(size=40, n=10_000), scenario=scenario())
    words = texts(ax)
    assert "safe" in words
    assert "unsafe, seen to fail: 0.01 % to 0.36 %" in words
    assert "unsafe, not seen to fail: 0 of 10,000, below 0.038 %" in words
    assert areas(ax, SAFE) and areas(ax, SEEN) and areas(ax, RARE)
    greys = [lightness(colour) for colour in (SAFE, RARE, SEEN)]
    assert greys == sorted(greys, reverse=True) and greys[0] - greys[2] > 0.3


def test_no_point_that_failed_is_painted_over_by_the_safe_side() -> None:
    counts = grid(size=8, n=10_000)
    failed = counts.failed.copy()
    failed[0, 7] = 40  # the shortest pool, the longest server
    other = Counted(counts.paths, counts.values, counts.requests, failed)
    ax = heatmap(other, scenario=scenario())
    assert texts(ax)[0].startswith("Requests fail on both sides of the line")
    before = len(areas(heatmap(counts, scenario=scenario()), SEEN))
    assert len(areas(ax, SEEN)) == before + 1


def test_nothing_of_the_safe_side_looks_unsafe() -> None:
    ax = heatmap(grid(size=10, n=10**6), scenario=scenario())
    [ground] = [area for area in areas(ax, SAFE) if len(area) > 100]
    corner = max(x for x, _ in ground), max(y for _, y in ground)
    assert corner in ground
    lowest = max(y for area in areas(ax, SEEN) for _, y in area)
    assert lowest <= corner[1]


def test_what_every_point_does_is_said_only_where_two_timers_decide() -> None:
    plain = scenario()
    counts = grid(size=20)
    told = "Every point above the line loses requests"
    assert texts(heatmap(counts, scenario=plain))[0].startswith(told)
    for path, value in (
        ("hop.0.pool.retry.retry_on", ["reset"]),
        ("hop.0.pool.max_connection_duration", 30.0),
        ("hop.0.server.max_requests_per_connection", 100),
        ("traffic.arrivals", "periodic"),
    ):
        words = texts(heatmap(counts, scenario=plain.replace(path, value)))
        assert words[0].startswith("Requests fail above the line only"), path


def yours(**settings: Any) -> str:
    """What the legend says of the reader."""
    share = settings.pop("share", None)
    words = texts(heatmap(grid(size=40), scenario=scenario(**settings), share=share))
    return next(word for word in words if word.startswith("you"))


def test_the_legend_says_how_safe_the_reader_is_and_who_says_so() -> None:
    assert yours(pool=4.0) == "you are here: C = 4 s, T = 5 s; safe by 980 ms"
    assert yours(server=INF).endswith("; the server never gives up")
    assert yours(share=0.0).endswith("; unsafe, none lost by theory")
    assert yours(share=0.00073).endswith("; unsafe, 0.073 % lost by theory")
    assert yours().endswith("; unsafe, 155 of 100,000 lost near here")
    assert yours(pool=INF).endswith("; unsafe")
    assert yours(pool=4.0, share=0.001).endswith(
        "; this hop: safe by 980 ms; 0.1 % lost elsewhere by theory"
    )
    assert "Up to 0.36 % fail" in texts(heatmap(grid()))


def test_the_rate_and_the_round_trip_are_in_the_picture() -> None:
    words = texts(heatmap(grid(n=10_000), scenario=scenario()))
    assert "RTT 20 ms · poisson, 1/s · 10,000 requests a point" in words
    assert "as told" in texts(heatmap(grid(), scenario=scenario(), facts="as told"))


def test_what_varies_on_the_map_is_not_told_as_held_fixed() -> None:
    paths = ("traffic.rate", "hop.0.link.delay")
    ones = np.ones((2, 2), int)
    counts = Counted(paths, ((0.1, 9.0), (0.01, 0.1)), 100 * ones, ones)
    assert "100 requests a point" in texts(heatmap(counts, scenario=scenario()))


def test_a_map_without_a_safe_point_tells_of_no_line() -> None:
    counts = grid(ends=(1.0, 40.0))
    delays = (POOL, "hop.0.link.delay")
    all_bad = Counted(
        delays, ((50.0, 90.0), (0.01, 0.1)), counts.requests[:2, :2], np.ones((2, 2))
    )
    words = texts(heatmap(all_bad, scenario=scenario()))
    assert words[0] == "Every point of this map loses requests"
    assert "safe" not in words and not any("safe below" in word for word in words)


def test_nothing_that_failed_is_no_promise() -> None:
    counts = grid(n=10_000)
    none = Counted(
        counts.paths, counts.values, counts.requests, np.zeros_like(counts.failed)
    )
    words = texts(heatmap(none, scenario=scenario()))
    assert words[0].startswith("None of 1,440,000 requests failed")
    assert any(word.startswith("unsafe, not seen to fail") for word in words)
    assert "None of 1,440,000 requests failed" in texts(heatmap(none))


@pytest.mark.parametrize(
    ("pool", "server", "told"),
    [
        (INF, 5.0, "C for ever"),
        (3600.0, 5.0, "C = 1 h"),
        (0.001, 5.0, "C = 1 ms"),
        (60.0, 3600.0, "T = 1 h"),
        (3600.0, 3600.0, "C = 1 h, T = 1 h"),
    ],
)
def test_a_reader_off_the_map_is_an_arrow_at_its_edge_with_the_value(
    pool: float, server: float, told: str
) -> None:
    words = texts(heatmap(grid(), scenario=scenario(pool=pool, server=server)))
    assert told in words
    assert any(word.startswith("you, off the map: C") for word in words)
    assert not any(word.startswith("you are here") for word in words)


def test_a_reader_on_the_map_is_told_with_both_values() -> None:
    assert yours().startswith("you are here: C = 60 s, T = 5 s;")


def test_named_settings_stand_on_the_map_where_there_is_room() -> None:
    some = [Named(5.0, 60.0, "one"), Named(60.0, 5.0, "two"), Named(1e4, 1.0, "far")]
    ax = heatmap(grid(), scenario=scenario(pool=2.0), named=some)
    words = texts(ax)
    assert "one" in words and "two" in words and "far" not in words
    crowd = [Named(5.0, 60.0 + n / 100.0, f"product {n}") for n in range(30)]
    assert crowded(heatmap.sheet(grid(), scenario=scenario(), named=crowd)) == []


def test_without_a_scenario_there_is_no_line_and_no_reader() -> None:
    words = texts(heatmap(grid()))
    assert not any("you" in word or "safe below" in word for word in words)


def test_the_colours_of_a_map_without_a_line_have_a_bar_with_units() -> None:
    words = texts(heatmap(grid(n=10**6)))
    assert "failed requests" in words and {"0.1 %", "1 %"} <= set(words)


@pytest.mark.parametrize("ends", [(0.5, 120.0), (0.001, 0.002), (60.0, 86400.0)])
@pytest.mark.parametrize("pool", [0.001, 5.0, INF])
@pytest.mark.parametrize("server", [0.001, 60.0, INF])
def test_no_two_texts_touch_wherever_the_reader_is(
    pool: float, server: float, ends: tuple[float, float]
) -> None:
    sheet = heatmap.sheet(
        grid(5, ends=ends), scenario=scenario(pool=pool, server=server)
    )
    assert crowded(sheet) == []


@pytest.mark.parametrize("counts", [0, 1, 10_000])
def test_all_and_nothing_can_be_drawn(counts: int) -> None:
    full = Counted(
        (POOL, SERVER),
        ((1.0, 2.0, 4.0), (1.0, 2.0)),
        np.full((3, 2), 10_000),
        np.full((3, 2), counts),
    )
    assert crowded(heatmap.sheet(full, scenario=scenario())) == []


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
    assert any(word.startswith("you are here: C = 60 s") for word in words)
    assert not any("safe below" in word for word in words)


def test_axes_are_reused_and_keep_their_size() -> None:
    ax = heatmap(grid(), scenario=scenario())
    first = figures.png(ax.figure)  # type: ignore[arg-type]
    assert heatmap(grid(5), ax) is ax
    heatmap(grid(), ax, scenario=scenario())
    assert figures.png(ax.figure) == first  # type: ignore[arg-type]


def test_the_alt_text_says_the_rule_and_the_counts() -> None:
    words = heatmap.alt_text(grid(n=10_000), scenario(pool=4.0))
    assert "C: idle timeout of the pool (up)" in words
    assert "68 of 144 points seen to fail (0.02 % to 0.36 %)" in words
    assert "10 of 144 points not (0 of 10,000, below 0.038 %)" in words
    assert "66 of 144 points safe by C = T − RTT" in words
    assert words.endswith("You are here: C = 4 s, T = 5 s; safe by 980 ms.")
    assert len(words) < 400
    plain = heatmap.alt_text(grid(n=10_000))
    assert "76 of 144 points not (0 of 10,000, below 0.038 %)" in plain

"""Failures against the gap: every engine has its mark, theory is the line."""

from __future__ import annotations

import pytest

from labkit import figures
from labkit.figures.paper.style import MARKS
from labkit.records.counts import GapPoint, GapSeries
from labkit.theory import Window

WINDOW = Window(1.98, 2.0)


def series(label: str, trials: int) -> GapSeries:
    gaps = [1.97 + 0.002 * step for step in range(20)]
    return GapSeries(
        label,
        tuple(GapPoint(gap, trials, trials * (gap in WINDOW)) for gap in gaps),
    )


def legend(ax: object) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[attr-defined]


def test_theory_virtual_and_live_share_one_axis() -> None:
    ax = figures.gap([series("virtual", 1), series("live", 200)], window=WINDOW)
    assert legend(ax) == [
        "race window, 20 ms",
        "theory",
        "virtual, n = 1 each",
        "live, n = 200 each",
    ]


def test_the_axes_carry_units() -> None:
    ax = figures.gap([series("virtual", 1)], window=WINDOW)
    assert ax.get_xlabel() == "gap before the request, in s"
    short = GapSeries("live", (GapPoint(0.48, 10, 9), GapPoint(0.5, 10, 0)))
    assert figures.gap([short]).get_xlabel().endswith("in ms")


def test_a_share_carries_its_interval() -> None:
    ax = figures.gap([series("live", 200)], window=WINDOW)
    (container,) = ax.containers
    bars = container.lines[2][0].get_segments()
    assert all(high > low for (_, low), (_, high) in bars)


def test_engines_differ_in_hue_and_in_marker() -> None:
    names = ("virtual", "live", "model", "envoy")
    marks = [MARKS[name] for name in names]
    assert len({mark.colour for mark in marks}) == len(marks)
    assert len({mark.marker for mark in marks}) == len(marks)


def test_the_title_names_the_window() -> None:
    ax = figures.gap([series("live", 200)], window=WINDOW)
    assert (
        ax.get_title(loc="left") == "Requests fail after a gap between 1.98 s and 2 s"
    )
    empty = figures.gap([series("live", 200)], window=Window(2.0, 1.0))
    assert empty.get_title(loc="left") == "No gap fails: the race window is empty"


def test_axes_are_reused() -> None:
    ax = figures.gap([series("virtual", 1), series("live", 200)], window=WINDOW)
    assert figures.gap([series("live", 200)], ax=ax, window=WINDOW) is ax
    assert len(legend(ax)) == 3


@pytest.mark.parametrize(("trials", "failed"), [(3, 4), (3, -1)])
def test_counts_that_cannot_be_are_refused(trials: int, failed: int) -> None:
    with pytest.raises(
        ValueError, match=f"failed is {failed}, allowed is 0 to {trials}"
    ):
        GapPoint(1.0, trials, failed)

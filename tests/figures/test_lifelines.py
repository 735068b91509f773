"""Lifelines: a lane per hop, a bar per connection, ticks, and who closed it."""

from __future__ import annotations

import pytest

from labkit import figures
from labkit.figures.diagrams.lanes import Lane, lanes, times
from labkit.figures.diagrams.timescale import time_scale
from labkit.figures.paper.matplotlib_pen import size_of
from labkit.records.trace import Kind
from tests.figures.stories import overlaps, ran, texts


def plan(**knobs: object) -> tuple[Lane, ...]:
    run = ran(**knobs)
    exchanges = tuple(run.exchanges)
    return lanes(run, exchanges, time_scale(times(run, exchanges), 0.0, 150.0))


def test_every_connection_is_a_bar_of_its_hop() -> None:
    first, second = plan()
    assert [bar.life.connection for bar in first.bars] == [1]
    assert [bar.life.connection for bar in second.bars] == [1, 2]


def test_every_request_is_a_tick_and_the_one_that_died_is_marked() -> None:
    _, second = plan()
    assert [[t.failed for t in bar.ticks] for bar in second.bars] == [
        [False, False, False, True],
        [False, False],
    ]


def test_a_bar_ends_as_its_connection_ended() -> None:
    _, second = plan()
    closed, alive = second.bars
    assert closed.kind is Kind.FIN
    assert closed.end == pytest.approx(9.07)
    assert alive.end is None


def test_the_figure_says_who_closed_and_why() -> None:
    assert "upstream: idle timeout" in texts(figures.lifelines(ran()))


def test_the_title_counts_requests_and_connections() -> None:
    title = texts(figures.lifelines(ran()))[0]
    assert title == "6 requests over 1 connection to proxy and 2 to upstream"


def test_many_connections_share_rows() -> None:
    _, second = plan(gaps=(6.0,), requests=60)
    assert len(second.bars) == 60
    assert second.rows < 60


@pytest.mark.parametrize("requests", [1, 5, 60])
@pytest.mark.parametrize("gap", [0.0, 0.5, 4.985, 6.0, 3600.0])
@pytest.mark.parametrize("burst", [1, 5])
def test_no_two_texts_touch(gap: float, requests: int, burst: int) -> None:
    run = ran(gaps=(gap, 1.0), requests=requests, burst=burst)
    assert overlaps(figures.lifelines(run)) == []


def test_given_axes_keep_their_size() -> None:
    ax = figures.blank(178.0, 90.0)
    assert figures.lifelines(ran(requests=60, burst=20), ax=ax) is ax
    assert overlaps(ax) == []
    assert size_of(ax) == pytest.approx((178.0, 90.0))

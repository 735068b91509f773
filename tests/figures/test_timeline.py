"""From seconds to millimetres: to scale, with breaks, and with room between arrows."""

from __future__ import annotations

from itertools import pairwise

import pytest

from labkit.figures.diagrams.layout import Layout, Wanted, fitting
from labkit.figures.diagrams.run_like import RunLike
from labkit.figures.diagrams.timeline import BREAK, ROOM, place, scale
from labkit.figures.diagrams.timescale import time_scale
from labkit.records.trace import Direction
from tests.figures.stories import one_lost_request, ran


def page_of(run: RunLike, height: float = 400.0) -> Layout:
    return fitting(run, 178.0, height, Wanted())


def test_time_is_to_scale_where_it_is_not_cut() -> None:
    run = one_lost_request()
    page = page_of(run)
    (_, sent), (_, arrived) = page.shafts[2]
    assert arrived - sent == pytest.approx(0.01 * scale([0.01], 14.0))


def test_a_wait_is_a_break_of_fixed_height_that_knows_its_seconds() -> None:
    (cut,) = page_of(one_lost_request()).placed.breaks
    assert cut.bottom - cut.top == pytest.approx(BREAK)
    assert cut.seconds == pytest.approx(4.98)


@pytest.mark.parametrize("delays", [(0.0, 0.01), (0.001, 2.0), (0.05, 0.0001, 0.01)])
def test_a_round_trip_is_at_least_8_mm_high(delays: tuple[float, ...]) -> None:
    page = page_of(ran(delays=delays, gaps=(1.0,), keepalive=60.0), height=150.0)
    for message, ((_, sent), (_, arrived)) in page.arrows():
        if delays[message.event.hop] > 0.0:
            assert arrived - sent >= 4.0 - 1e-9


@pytest.mark.parametrize("delays", [(0.0, 0.0), (0.0, 0.01), (0.01, 0.002)])
def test_time_never_runs_up_the_paper(delays: tuple[float, ...]) -> None:
    page = page_of(ran(delays=delays))
    ends = [(m.event.sent, tail[1]) for m, (tail, _) in page.arrows()]
    assert [y for _, y in sorted(ends)] == sorted(y for _, y in ends)


def test_a_wire_without_delay_has_level_arrows_apart_from_each_other() -> None:
    page = page_of(ran(delays=(0.0, 0.0)))
    levels: dict[int, list[float]] = {0: [], 1: []}
    for message, (tail, tip) in page.arrows():
        assert tail[1] == tip[1]
        levels[message.event.hop].append(tail[1])
    for heights in levels.values():
        gaps = [b - a for a, b in pairwise(heights)]
        assert min(gaps) >= ROOM - 1e-9


def test_an_arrow_goes_with_the_requests_or_with_the_answers() -> None:
    page = page_of(ran())
    for message, (tail, tip) in page.arrows():
        upstream = message.event.direction is Direction.UPSTREAM
        assert (tip[0] > tail[0]) is upstream


def test_nothing_to_draw_takes_no_paper() -> None:
    assert place((), (), (), [0.01], 10.0).bottom == 0.0


def test_an_even_row_of_moments_is_not_cut() -> None:
    axis = time_scale([0.0, 1.0, 2.0, 3.0], 0.0, 90.0)
    assert [axis.x(t) for t in (0.0, 1.5, 3.0)] == pytest.approx([0.0, 45.0, 90.0])
    assert axis.cuts == []


def test_one_long_wait_is_cut_out() -> None:
    axis = time_scale([0.0, 1.0, 2.0, 3602.0, 3603.0, 3604.0], 0.0, 100.0)
    (cut,) = axis.cuts
    assert (cut.start, cut.end) == (2.0, 3602.0)
    assert axis.x(1.0) - axis.x(0.0) == pytest.approx(axis.x(3603.0) - axis.x(3602.0))


def test_ticks_stand_at_round_moments() -> None:
    axis = time_scale([0.0, 4.9, 9.8, 13.14], 0.0, 140.0)
    assert axis.ticks(room=22.0) == [0.0, 5.0, 10.0]

"""The teardown: strips of states beside the arrows, and no two words that touch."""

from __future__ import annotations

import itertools

import pytest

from labkit import figures
from labkit.figures.diagrams.teardown import LOOKS
from labkit.figures.paper.hatch import strokes
from labkit.figures.paper.matplotlib_pen import size_of
from labkit.figures.paper.sheet import Box
from labkit.records.tcp_states import Tcp
from tests.figures.stories import late_write, overlaps, texts


def test_states_and_notes_stand_beside_the_lifelines() -> None:
    told = texts(figures.teardown(late_write()))
    for state in ("ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_1", "FIN_WAIT_2"):
        assert state in told
    assert told.count("write: ok") == 2
    assert "write: broken pipe" in told and "closes" in told


def test_a_long_wait_is_cut_and_named() -> None:
    assert "880 ms pass" in texts(figures.teardown(late_write()))


def test_arrows_say_what_they_carry() -> None:
    told = texts(figures.teardown(late_write()))
    assert {"SYN", "200", "FIN", "RST", "30 bytes"} <= set(told)
    assert any(text.startswith("GET /a/long") and text.endswith("…") for text in told)


@pytest.mark.parametrize("delay", [0.0001, 0.001, 0.02, 0.5])
@pytest.mark.parametrize("wait", [4.0, 300.0])
def test_no_two_texts_touch(delay: float, wait: float) -> None:
    assert overlaps(figures.teardown(late_write(delay, wait))) == []


def test_given_axes_keep_their_size() -> None:
    ax = figures.blank(178.0, 140.0)
    assert figures.teardown(late_write(), ax=ax) is ax
    assert size_of(ax) == pytest.approx((178.0, 140.0))
    assert overlaps(ax) == []


def test_the_alt_text_names_goodbyes_failures_and_last_states() -> None:
    assert late_write().summary() == (
        "A late write, virtual engine: server sends FIN, server sends RST; "
        "client: write: broken pipe; client ends in CLOSED, server ends in CLOSED."
    )


def test_every_state_has_a_look_and_those_side_by_side_differ_without_colour() -> None:
    assert set(LOOKS) == set(Tcp)
    for a, b in itertools.pairwise(
        (Tcp.SYN_SENT, Tcp.ESTABLISHED, Tcp.FIN_WAIT_1, Tcp.CLOSING, Tcp.TIME_WAIT)
    ):
        assert LOOKS[a].hatch != LOOKS[b].hatch


@pytest.mark.parametrize("hatch", ["/", "\\", "x", "-", "|", "."])
def test_a_hatch_stays_inside_its_box(hatch: str) -> None:
    box = Box(3.0, 5.0, 10.0, 45.0)
    drawn = list(strokes(box, hatch))  # type: ignore[arg-type]
    assert drawn
    for x, y in itertools.chain.from_iterable(drawn):
        assert box.left - 1e-9 <= x <= box.right + 1e-9
        assert box.top - 1e-9 <= y <= box.bottom + 1e-9

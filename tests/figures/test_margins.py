"""The margin of a hop against the tick of its server's timer."""

from __future__ import annotations

import math

import pytest

from labkit import figures
from labkit.figures import margins
from labkit.records.counts import Curve
from labkit.settings import Hop, Link, Pool, Server
from tests.figures.gallery import crowded
from tests.figures.stories import texts

INF = math.inf


def hop(
    pool: float = 4.0,
    server: float = 5.0,
    delay: float = 0.01,
    tick: float = 0.0,
    drain: float = 0.0,
) -> Hop:
    return Hop(
        pool=Pool(idle_timeout=pool),
        link=Link(delay=delay),
        server=Server(idle_timeout=server, tick=tick, drain_timeout=drain),
    )


FOUND = Curve("virtual", (0.001, 0.1, 1.0), (0.98, 1.05, 1.6))


def test_the_largest_tick_is_the_margin() -> None:
    words = texts(margins(hop()))
    assert "A timer may be 980 ms coarse before this hop races" in words
    assert "largest tick: 980 ms" in words


def test_a_hop_that_races_races_with_any_tick() -> None:
    words = texts(margins(hop(pool=60.0)))
    assert "No tick is fine enough: this hop races as it is set" in words
    assert not any("largest tick" in word for word in words)


def test_the_facts_are_the_settings_of_the_margin() -> None:
    assert "C = 4 s, T = 5 s, RTT = 20 ms" in texts(margins(hop()))
    drains = margins(hop(drain=5.0))
    assert "C = 4 s, I = 5 s, D = 5 s, RTT = 20 ms" in texts(drains)


def test_both_axes_carry_units() -> None:
    words = texts(margins(hop()))
    assert {"margin", "tick of the server's idle timer", "1 s", "10 ms"} <= set(words)


@pytest.mark.parametrize("pool", [0.0, 4.98, 86400.0, INF])
@pytest.mark.parametrize("server", [0.001, 5.0, INF])
@pytest.mark.parametrize("tick", [0.0, 0.0001, 3600.0])
def test_no_two_texts_touch(pool: float, server: float, tick: float) -> None:
    results = [FOUND] if tick else []
    sheet = margins.sheet(hop(pool, server, tick=tick), results)
    assert crowded(sheet) == []


def test_axes_are_reused() -> None:
    ax = margins(hop(), [FOUND])
    assert "virtual" in texts(ax)
    assert margins(hop(), ax=ax) is ax and "virtual" not in texts(ax)
    assert figures.png(ax.figure).startswith(b"\x89PNG")  # type: ignore[arg-type]


def test_the_alt_text_says_the_margin_and_what_was_measured() -> None:
    words = margins.alt_text(hop(), [FOUND])
    assert "A timer may be 980 ms coarse" in words
    assert words.endswith("virtual: 980 ms at 1 ms, 1.05 s at 100 ms, 1.6 s at 1 s.")

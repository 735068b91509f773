"""Sheets of made-up runs: words keep apart, and nothing leaves the paper."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labkit
from labkit import figures
from labkit.figures.paper.sheet import Sheet, Word
from labkit.records.counts import FATES, Outcomes
from labkit.settings import Hop, Link, Pool, Scenario, Server
from tests.figures.gallery import CASES, astray, crowded, cut_arrows
from tests.figures.stories import ran, scenario

seconds = st.sampled_from([0.0, 0.001, 0.02, 0.5, 1.0, 4.985, 5.0, 61.0, 3600.0])
names = st.text(max_size=40).map(lambda text: "".join(filter(str.isprintable, text)))
sizes = st.none() | st.tuples(st.floats(60.0, 300.0), st.floats(40.0, 300.0))


@st.composite
def chains(draw: st.DrawFn) -> Scenario:
    """A chain of one to three hops that may race, with a few requests."""
    delays = draw(st.lists(seconds.filter(lambda s: s < 4.0), min_size=1, max_size=3))
    chain = scenario(
        gaps=tuple(draw(st.lists(seconds, min_size=1, max_size=4))),
        requests=draw(st.integers(1, 12)),
        delays=tuple(delays),
        keepalive=draw(st.sampled_from([0.001, 1.0, 5.0, 60.0])),
        pool=draw(st.sampled_from([0.5, 4.0, 60.0])),
        retry=draw(st.sampled_from([(), ("reset",)])),
        drain=draw(st.sampled_from([0.0, 1.0])),
        deaf=draw(st.sampled_from([0.0, 1.0])),
        burst=draw(st.integers(1, 4)),
        service_time=draw(seconds.filter(lambda s: s < 4.0)),
    )
    name = draw(names)
    return chain if name in chain.parties else chain.replace("hop.0.name", name)


@pytest.mark.parametrize("case", CASES)
def test_words_keep_apart_and_nothing_leaves_the_sheet(case: str) -> None:
    sheet = CASES[case]()
    assert (crowded(sheet), astray(sheet)) == ([], [])


@pytest.mark.parametrize(
    "case", [name for name in CASES if name.startswith(("sequence", "teardown"))]
)
def test_no_word_on_an_arrow_hides_another_arrow(case: str) -> None:
    assert cut_arrows(CASES[case]()) == 0


@pytest.mark.parametrize("diagram", ["sequence", "lifelines"])
@given(chain=chains(), size=sizes)
@settings(max_examples=60)
def test_so_it_is_for_any_run_on_any_paper(
    diagram: str, chain: Scenario, size: tuple[float, float] | None
) -> None:
    sheet = getattr(figures, diagram).sheet(labkit.run(chain, trace=True), size)
    assert (crowded(sheet), astray(sheet)) == ([], [])


@given(
    idle=seconds,
    drain=seconds,
    deaf=seconds,
    delay=seconds,
    pool=seconds,
    guess=st.none() | seconds,
    size=sizes,
)
@settings(max_examples=60)
def test_so_it_is_for_any_goodbye(
    idle: float,
    drain: float,
    deaf: float,
    delay: float,
    pool: float,
    guess: float | None,
    size: tuple[float, float] | None,
) -> None:
    hop = Hop(
        pool=Pool(idle_timeout=pool or 60.0),
        link=Link(delay=delay),
        server=Server(
            idle_timeout=idle or 5.0, drain_timeout=drain, delayed_close_timeout=deaf
        ),
    )
    sheet = figures.phases.sheet(hop, (), size, guess=guess)
    assert (crowded(sheet), astray(sheet)) == ([], [])


counts = st.tuples(*(st.integers(0, 10**6) for _ in FATES)).filter(any)


@given(
    told=st.lists(st.lists(counts, min_size=2, max_size=2), min_size=1, max_size=3),
    label=names,
    title=names,
    size=st.none() | st.tuples(st.floats(120.0, 300.0), st.floats(60.0, 300.0)),
)
@settings(max_examples=60)
def test_so_it_is_for_any_outcomes(
    told: list[list[tuple[int, ...]]],
    label: str,
    title: str,
    size: tuple[float, float] | None,
) -> None:
    groups = {
        f"{n} {label}": tuple(
            Outcomes(f"{label} {row}", **dict(zip(FATES, each, strict=True)))
            for row, each in enumerate(rows)
        )
        for n, rows in enumerate(told)
    }
    sheet = figures.outcomes.sheet(groups, size, title=title)
    assert (crowded(sheet), astray(sheet)) == ([], [])


def test_a_legend_too_long_for_its_paper_ends_where_the_paper_does() -> None:
    sheet = figures.sequence.sheet(ran(), (110.0, 200.0))
    assert {"SYN", "DATA", "FIN", "RST"} <= {word.text for word in sheet.words}
    assert (crowded(sheet), astray(sheet)) == ([], [])


def test_a_word_that_would_leave_the_sheet_is_left_out() -> None:
    sheet = Sheet(50.0, 20.0)
    assert sheet.write(Word("inside", 25.0, 10.0))
    for x, y in ((2.0, 5.0), (48.0, 5.0), (25.0, 1.0), (25.0, 19.0)):
        assert not sheet.write(Word("outside", x, y))
    assert not sheet.write(Word("on it", 25.0, 11.0))

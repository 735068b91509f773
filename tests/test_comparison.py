"""A comparison: five columns, one table, and a test of each against each."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from labkit import Hop, Link, Pool, Scenario, Server, SettingsError, Traffic, figures
from labkit.experiments.comparison import COLUMNS, Comparison, Estimate, compare
from labkit.experiments.comparison.columns import CHAIN, chains, column, side_by_side
from labkit.experiments.lateness import lateness, tolerance
from labkit.figures.paper.sheet import Sheet
from labkit.figures.paper.style import MARKS
from labkit.lab import run
from labkit.resources import data
from labkit.settings import Event, LabSettings
from labkit.theory import predicted
from labkit.theory.text import percent

FAST = Scenario(
    name="fast",
    traffic=Traffic(rate=2.0),
    hops=(
        Hop(),
        Hop(
            pool=Pool(idle_timeout=60.0),
            link=Link(delay=0.05),
            server=Server(idle_timeout=0.5),
        ),
    ),
)
EVENT = Event(at=5.0, action="drain", path="hop.1")
PLANNED = dataclasses.replace(FAST, lab=LabSettings(schedule=(EVENT,)))
EXACT = Estimate("theory", said=(0.03, 0.03, 0.03))
AGREEING = (
    EXACT,
    Estimate("model", 1_000_000, 30_100, wall_seconds=2.0),
    Estimate("virtual", 20_000, 590, wall_seconds=9.0),
    Estimate("live", 3000, 95, wall_seconds=60.0, note="300 chains of 10 arrivals"),
    Estimate("envoy", refused='hop.1.pool.reuse is "fifo"; allowed: "lifo"'),
)


def made_of(*rungs: Estimate) -> Comparison:
    return Comparison(FAST, rungs, "labkit compare fast.toml")


# -- columns ---------------------------------------------------------------------------


def test_theory_model_and_virtual_agree() -> None:
    asked = (("theory", 0), ("model", 100_000), ("virtual", 4_000))
    rungs = [column(label, FAST, n, progress=False) for label, n in asked]
    told = Comparison(FAST, tuple(rungs))
    assert [rung.requests for rung in rungs] == [0, 100_000, 4_000]
    assert told.agrees, told.table()
    assert 0.0 < rungs[0].share < 1.0 and rungs[0].note


def test_no_two_columns_share_their_chance() -> None:
    virtual = column("virtual", FAST, 400, progress=False)
    same = run(FAST.replace("traffic.requests", 400), progress=False)
    assert virtual.failed != same.failed


def test_columns_stand_in_one_order_whatever_was_asked_for_first() -> None:
    told = compare(PLANNED, ["envoy", "model", "theory"], progress=False)
    assert [rung.label for rung in told.rungs] == ["theory", "model", "envoy"]
    assert all(rung.refused for rung in told.rungs)


def test_a_column_that_cannot_do_it_says_why_and_the_others_go_on() -> None:
    late = FAST.replace_all({"traffic.http_version": "1.0", "traffic.requests": 50})
    (model,) = compare(late, ["model"], progress=False).rungs
    assert model.refused.startswith("traffic.http_version is ")
    one_hop = Scenario(hops=(Hop(),))
    fifo = FAST.replace("hop.1.pool.reuse", "fifo")
    for scenario, words in ((one_hop, "proxy"), (fifo, "hop.1.pool.reuse")):
        (envoy,) = compare(scenario, ["envoy"], progress=False).rungs
        assert words in envoy.refused and not envoy.requests


def test_live_traffic_is_cut_into_chains_with_a_chance_of_their_own() -> None:
    cut = chains(FAST, 61)
    assert len(cut) == 7
    assert {each.traffic.requests for each in cut} == {CHAIN + 1}
    assert len({each.seed for each in cut}) == 7


def test_gaps_of_a_log_go_on_in_the_next_chain_where_the_last_one_ended() -> None:
    gaps = [float(n) for n in range(25)]
    logged = FAST.replace_all({"traffic.arrivals": "gaps", "traffic.gaps": gaps})
    first, second, third = chains(logged, 30)
    assert second.traffic.gaps[0] == 10.0
    assert third.traffic.gaps[:6] == (20.0, 21.0, 22.0, 23.0, 24.0, 0.0)
    assert first.traffic.gaps == tuple(gaps)


def test_the_denser_the_traffic_the_fewer_chains_run_at_once() -> None:
    for rate, chains_at_once in ((0.01, 50), (1.0, 20), (2.0, 10), (100.0, 5)):
        assert side_by_side(FAST.replace("traffic.rate", rate)) == chains_at_once
    gaps = {"traffic.arrivals": "gaps", "traffic.gaps": [0.2, 0.8]}
    assert side_by_side(FAST.replace_all(gaps)) == 10


def test_a_schedule_is_not_cut() -> None:
    (live,) = compare(PLANNED, ["live"], progress=False).rungs
    assert live.refused.startswith("lab.schedule has events; allowed: ")


@pytest.mark.parametrize(
    ("columns", "requests", "words"),
    [
        (["theory", "wish"], None, 'columns has "wish"; allowed: "theory", "model"'),
        ([], None, "columns has 0 entries"),
        (["model"], 0, "requests is 0"),
    ],
)
def test_wrong_columns_are_refused(
    columns: list[str], requests: int | None, words: str
) -> None:
    with pytest.raises(SettingsError) as error:
        compare(FAST, columns, requests)
    assert words in str(error.value)


# -- lateness --------------------------------------------------------------------------


def test_a_machine_may_be_late_by_a_tenth_of_the_narrowest_window() -> None:
    assert tolerance(FAST) == pytest.approx(0.01)
    assert tolerance(FAST.replace("hop.1.link.delay", 0.0)) == 0.02
    assert tolerance(FAST.replace("hop.1.link.delay", 0.001)) == 0.001


def test_a_virtual_run_is_never_late() -> None:
    scenario = FAST.replace_all({"traffic.requests": 200, "hop.0.link.delay": 0.01})
    assert lateness(run(scenario, progress=False)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.live
def test_live_a_few_chains_side_by_side_fail_inside_the_window() -> None:
    gaps = [0.45, 0.2, 0.7, 0.45, 0.3]
    exact = FAST.replace_all({"traffic.arrivals": "gaps", "traffic.gaps": gaps})
    (live,) = compare(exact, ["live"], requests=40, progress=False).rungs
    # After a failure the next request opens a connection, and its gap still counts:
    # two gaps of five are in the middle of the window.
    assert live.refused or live.failed == 0.4 * live.requests
    assert "chains of 10 arrivals" in live.note or "a machine with" in live.refused


# -- agreement -------------------------------------------------------------------------


def test_columns_that_say_the_same_agree() -> None:
    told = made_of(*AGREEING)
    assert len(told.comparisons) == 6  # the refused one is not compared
    assert told.agrees
    assert told.verdict() == (
        "Theory, model, virtual and live agree: 6 tests together, by Holm, at 1 %"
    )
    assert told.headline() == "Theory, model, virtual and live agree: 3 % fail"


def test_a_column_that_differs_is_named_with_its_p() -> None:
    told = made_of(EXACT, AGREEING[1], Estimate("live", 3000, 300, wall_seconds=60.0))
    assert not told.agrees
    assert told.differs_from("live") == ["theory", "model"]
    assert told.differs_from("theory") == ["live"]
    assert "Theory and live differ (p = " in told.verdict() == told.headline()
    assert "not with theory and model" in told.table()


def test_within_the_bounds_of_a_formula_everything_agrees() -> None:
    bounds = Estimate("theory", said=(0.03, 0.01, 0.05))
    assert made_of(bounds, Estimate("live", 3000, 130)).agrees
    assert not made_of(bounds, Estimate("live", 3000, 300)).agrees
    assert bounds.told() == "about 3 %"
    assert Estimate("theory", said=(0.0, 0.0, 0.05)).told() == "at most 5 %"
    assert "1 % to 5 %" in made_of(bounds).table()


@pytest.mark.parametrize("bounds", [(0.0, 0.0, 0.008), (0.01, 0.0, 1.0)])
def test_bounds_that_hold_whatever_is_counted_are_no_agreement(
    bounds: tuple[float, float, float],
) -> None:
    model, live = Estimate("model", 1_000_000, 6_400), Estimate("live", 3000, 19)
    told = made_of(Estimate("theory", said=bounds), model, live)
    assert told.agrees and told.cannot_tell("theory") and not told.cannot_tell("live")
    assert told.verdict().startswith("Model and live agree: one test at 1 %; theory ca")
    assert told.headline() == "Model and live agree: about 0.64 % fail"
    assert [line.split()[-1] for line in told.table().splitlines()[1:4]] == [
        "tell",
        "yes",
        "yes",
    ]


def test_bounds_below_what_a_count_can_see_agree_with_it() -> None:
    told = made_of(Estimate("theory", said=(0.0, 0.0, 1e-6)), Estimate("live", 3000, 0))
    assert told.agrees and not told.cannot_tell("theory")


def test_bounds_that_are_wrong_differ_however_wide_they_are() -> None:
    told = made_of(
        Estimate("theory", said=(0.1, 0.05, 1.0)), Estimate("live", 3000, 19)
    )
    assert told.differs_from("theory") == ["live"] and not told.cannot_tell("theory")


def test_one_voice_agrees_with_nobody() -> None:
    told = made_of(EXACT, AGREEING[4])
    assert told.verdict() == "Theory speaks: nothing to compare"
    assert made_of(AGREEING[4]).verdict() == "No column speaks: nothing to compare"


# -- words and data --------------------------------------------------------------------


def test_zero_is_told_with_its_n_and_its_bound() -> None:
    assert Estimate("live", 3000, 0).told() == "0 of 3,000, below 0.128 %"
    assert Estimate("theory", said=(0.0, 0.0, 0.0)).told() == "0 %"


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0341, "3.41 %"),
        (1.0, "100 %"),
        (0.5, "50 %"),
        (0.00000521, "0.000521 %"),
        (0.0, "0 %"),
        (1.23e-30, "1.2e-30"),
        (float("nan"), "-"),
    ],
)
def test_a_share_has_three_digits_that_count(share: float, words: str) -> None:
    assert percent(share) == words


def test_the_table_has_a_line_for_every_column_and_tells_how_lateness_was_treated() -> (
    None
):
    lines = made_of(*AGREEING).table().splitlines()
    assert [line.split()[0].lower() for line in lines[1:6]] == list(COLUMNS)
    assert lines[5] == 'Envoy  refused: hop.1.pool.reuse is "fifo"; allowed: "lifo"'
    assert lines[-1] == "live: 300 chains of 10 arrivals"


def test_a_comparison_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "compare.json"
    made = made_of(*AGREEING)
    path.write_text(json.dumps(made.to_json(), allow_nan=False))
    assert Comparison.read(path) == made


# -- the committed comparisons ---------------------------------------------------------

CLIMBED = sorted(data("compare").glob("*.json"))


def test_every_scenario_of_the_comparison_comes_with_its_result() -> None:
    scenarios = {path.stem for path in data("compare").glob("*.toml")}
    assert {path.stem for path in CLIMBED} == scenarios
    assert len(CLIMBED) == 3


@pytest.mark.parametrize("path", CLIMBED, ids=lambda path: path.stem)
def test_a_committed_comparison_is_that_of_its_scenario_and_its_columns_agree(
    path: Path,
) -> None:
    made = Comparison.read(path)
    assert made.scenario == Scenario.from_toml(path.with_suffix(".toml"))
    assert (
        made.command
        == f"labkit compare data/compare/{path.stem}.toml --requests 1500 --json"
    )
    assert [rung.label for rung in made.rungs] == list(COLUMNS)
    assert not any(rung.refused for rung in made.rungs)
    assert made.agrees, made.table()


@pytest.mark.parametrize("path", CLIMBED, ids=lambda path: path.stem)
def test_theory_still_says_what_a_committed_comparison_has_of_it(path: Path) -> None:
    theory = Comparison.read(path).rungs[0]
    now = predicted(Scenario.from_toml(path.with_suffix(".toml")))
    assert theory.share == pytest.approx(now.share, rel=0.01)


# -- the figure ------------------------------------------------------------------------


def words_of(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def whiskers(sheet: Sheet) -> list[float]:
    """How wide the intervals of the counts are, in mm."""
    inks = {MARKS[name].colour for name in COLUMNS[1:]}
    level = (line for line in sheet.lines if line.points[0][1] == line.points[1][1])
    return [abs(a[0] - b[0]) for a, b in (x.points for x in level if x.colour in inks)]


def test_the_figure_has_a_row_for_every_column_with_its_interval() -> None:
    ax = figures.comparison(AGREEING, title=made_of(*AGREEING).headline())
    words = words_of(ax)
    assert all(name in words for name in (*COLUMNS[:4], "Envoy"))
    assert "95 of 3,000, 3.17 %" in words
    assert any(word.startswith("refused: hop.1.pool.reuse") for word in words)
    assert figures.comparison(AGREEING[:1], ax=ax) is ax and len(words_of(ax)) < 10
    assert len(whiskers(figures.comparison.sheet(AGREEING))) == 3


def test_a_comparison_of_zeros_draws_how_far_each_column_can_see() -> None:
    rungs = [Estimate("theory", said=(0.0, 0.0, 0.0)), Estimate("live", 3000, 0)]
    sheet = figures.comparison.sheet(rungs)
    words = [word.text for word in sheet.words]
    assert "0 of 3,000, below 0.128 %" in words
    assert "No request fails, in any column" in words
    [width] = whiskers(sheet)
    assert 55.0 < width < 69.0


def test_bounds_are_a_band_and_nothing_to_say_is_drawn_too() -> None:
    figures.comparison([Estimate("theory", said=(0.03, 0.01, 0.05))])
    figures.comparison([AGREEING[4]])


def test_the_alt_text_says_what_the_figure_shows() -> None:
    text = figures.comparison.alt_text(AGREEING, "Three agree")
    assert text.startswith("Five answers to one question. Three agree. theory: 3 %.")
    assert "live: 95 of 3,000, 3.17 %." in text

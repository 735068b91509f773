"""What is varied becomes points: all of them good, before the first one runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.settings import SettingsError
from labkit.sweep.plan import LIMIT, Plan, fingerprint
from tests.sweep.small import GRID, POOL, RACE, SERVER


def values(plan: Plan) -> list[tuple[Any, ...]]:
    return [point.values for point in plan.points]


def test_a_grid_is_every_combination_and_the_last_path_changes_fastest() -> None:
    plan = Plan.of(RACE, {POOL: [1, 2], SERVER: [3, 4]})
    assert plan.paths == (POOL, SERVER)
    assert values(plan) == [(1, 3), (1, 4), (2, 3), (2, 4)]
    assert [point.index for point in plan.points] == [0, 1, 2, 3]


def test_a_list_keeps_its_order_and_what_it_does_not_name_stays() -> None:
    plan = Plan.of(RACE, [{SERVER: 5}, {POOL: 1, SERVER: 6}])
    assert plan.paths == (SERVER, POOL)
    assert values(plan) == [(5, float("inf")), (6, 1)]


def test_a_point_turns_its_knobs_and_has_its_own_seed() -> None:
    plan = Plan.of(RACE, {POOL: [1, 2]})
    first, second = (plan.at(point) for point in plan.points)
    assert (first.get(POOL), second.get(POOL)) == (1, 2)
    assert len({first.seed, second.seed, RACE.seed}) == 3


@given(st.permutations([1.0, 2.5, 7.0]), st.booleans())
def test_the_seed_of_a_point_depends_on_its_values_alone(
    pools: list[float], turned: bool
) -> None:
    grid = {POOL: pools, SERVER: [3, 4]}
    plan = Plan.of(RACE, dict(reversed(grid.items())) if turned else grid)
    found = {
        (plan.at(p).get(POOL), plan.at(p).get(SERVER)): p.seed for p in plan.points
    }
    [alone] = Plan.of(RACE, [{SERVER: 4, POOL: 2.5}]).points
    assert found[2.5, 4] == alone.seed
    assert len(set(found.values())) == 6


def test_another_seed_of_the_scenario_is_another_seed_of_every_point() -> None:
    other = RACE.replace("seed", 12)
    seeds = [{p.seed for p in Plan.of(s, GRID).points} for s in (RACE, other)]
    assert not seeds[0] & seeds[1]


def test_a_seed_that_is_varied_is_taken_as_it_is() -> None:
    plan = Plan.of(RACE, {"seed": [4, 5]})
    assert [plan.at(point).seed for point in plan.points] == [4, 5]


def test_numbers_may_be_numpys_and_both_spellings_are_one_path() -> None:
    grid = {"hops.0.pool.idle_timeout": np.linspace(1, 2, 2)}
    plan = Plan.of(RACE, {**grid, "traffic.requests": np.arange(5, 6)})
    assert plan.paths == (POOL, "traffic.requests")
    assert values(plan) == [(1.0, 5), (2.0, 5)]
    assert {type(value) for value in plan.points[0].values} == {float, int}


def test_the_requests_of_points_are_summed_also_where_they_are_varied() -> None:
    plan = Plan.of(RACE, GRID)
    assert plan.requests(plan.points) == 6 * 20
    plan = Plan.of(RACE, {"traffic.requests": [5, 10]})
    assert plan.requests(plan.points) == 15


def test_plans_of_the_same_points_have_one_fingerprint() -> None:
    assert fingerprint(Plan.of(RACE, GRID)) == fingerprint(Plan.of(RACE, GRID))
    turned = Plan.of(RACE, {POOL: [3.0, 1.5, 0.5], SERVER: [1.0, 2.0]})
    assert fingerprint(turned) != fingerprint(Plan.of(RACE, GRID))


THOUSAND = range(1, 1001)


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        ({}, ["0 points", "1 to 100,000"]),
        ([], ["0 points", "1 to 100,000"]),
        ([{}], ["name a path"]),
        ({POOL: []}, ["0 points", "1 to 100,000"]),
        ({POOL: iter(())}, [POOL, "0 points"]),
        ({POOL: range(10**9)}, ["1,000,000,000 points", "1 to 100,000"]),
        (
            {POOL: THOUSAND, SERVER: THOUSAND, "hop.0.link.delay": THOUSAND},
            ["1,000,000,000 points (1,000 x 1,000 x 1,000)", "1 to 100,000"],
        ),
        ({POOL: (n for n in range(LIMIT + 5))}, ["100,001 points"]),
        (({POOL: n} for n in range(LIMIT + 5)), ["more points", "100,000"]),
        ({"hop.0.pool.idle_timeot": [1]}, ["did you mean hop.0.pool.idle_timeout"]),
        ({"hop.7.pool.idle_timeout": [1]}, ["hop.7 does not exist"]),
        ({"hop.0.pool": [1]}, ["hop.0.pool is a group of settings"]),
        ({POOL: [1], "hops.0.pool.idle_timeout": [2]}, ["given twice"]),
        ({POOL: 5}, [POOL, "5", "a list"]),
        ({"hop.0.pool.reuse": "lifo"}, ['"lifo"', "a list"]),
        ({POOL: [1, 2, -3]}, [POOL, "-3", "0 to 1e+09"]),
        ([{POOL: 1}, {SERVER: "x"}], [SERVER, '"x"']),
        ({"hop.0.server.stream_idle_timeout": [9]}, ["stream_idle_timeout is 9"]),
        ({POOL: [5, 5.0]}, ["points 0 and 1 are the same", "vary seed"]),
        ("hop.0", ["a table of paths"]),
        (5, ["a table of paths"]),
        ([5], ["a table of paths"]),
        ({7: [1]}, ["7 is not a path"]),
    ],
)
def test_what_cannot_be_run_is_refused_before_the_first_run(
    vary: Any, words: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        Plan.of(RACE, vary)
    told = str(caught.value)
    assert "\n" not in told
    for word in words:
        assert word in told


@pytest.mark.parametrize(("engine", "proxy"), [("x", "labkit"), ("virtual", "envoy")])
def test_what_the_engine_refuses_is_refused_before_the_first_run(
    engine: str, proxy: str
) -> None:
    with pytest.raises(SettingsError, match="engine"):
        Plan.of(RACE, GRID, engine, proxy)


def test_what_the_model_cannot_do_at_some_point_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"origin\.script is 'garbage'"):
        Plan.of(RACE, {"origin.script": [None, "garbage"]}, "model")

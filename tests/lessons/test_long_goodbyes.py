"""Long goodbyes: every probe meets its phase, every road to the budget passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import labkit
from labkit.lessons import long_goodbyes
from labkit.theory.phases import Outcome, phases

POOL, SERVER = "hop.0.pool", "hop.0.server"


# -- phases --------------------------------------------------------------------------


def by_formula(scenario: labkit.Scenario, gap: float) -> Outcome:
    told = phases(scenario.hops[0])
    return next(each.outcome for each in told if each.start <= gap < each.end)


@pytest.mark.parametrize(
    "timers",
    [
        (0.4, 0.4, 0.4, 0.005),
        (5.0, 5.0, 1.0, 0.02),
        (2.0, 0.0, 0.0, 0.1),
        (2.0, 0.0, 1.0, 0.05),
        (5.0, 5.0, 1.0, 0.02, 7.0),
        (5.0, 5.0, 1.0, 0.02, 10.5),
        (1.0, 3.0, 0.0, 0.25),
    ],
)
def test_every_probe_meets_the_phase_of_the_formula(timers: tuple[float, ...]) -> None:
    scenario = long_goodbyes.goodbye(*timers)
    found = long_goodbyes.probe(scenario, long_goodbyes.around(sum(timers[:3]), 61))
    for probe in found.probes:
        assert probe.outcome is by_formula(scenario, probe.gap), probe


def test_a_lost_request_hears_of_it_when_the_delayed_close_is_over() -> None:
    found = long_goodbyes.probe(long_goodbyes.RECORDED, [0.9, 1.1]).probes
    assert [p.gap + p.waited for p in found] == pytest.approx([1.2, 1.2], abs=1e-6)


@pytest.mark.parametrize(("timers", "ends"), [((5, 5, 1), 11.0), ((5, 0, 0), 5.0)])
def test_a_silent_connection_ends_after_all_timers(
    timers: tuple[float, ...], ends: float
) -> None:
    found = long_goodbyes.patience(long_goodbyes.goodbye(*timers))
    assert found == pytest.approx(ends, abs=1e-6)


def test_the_recorded_envoy_meets_the_same_phases() -> None:
    envoy, how = long_goodbyes.recorded()
    assert how["command"].startswith("python tools/record_goodbye.py")
    assert how["program"].startswith("Envoy")
    assert how["delay_s"] == long_goodbyes.RECORDED.hops[0].link.delay
    assert how["idle_timeout_s"] == long_goodbyes.RECORDED.hops[0].server.idle_timeout
    wrong = [p for p in envoy.probes if p.outcome is not _mild(p.gap, p.outcome)]
    assert len(envoy.probes) == 27 * how["trials"]
    assert wrong == []


def _mild(gap: float, found: Outcome) -> Outcome:
    """The formula's phase; within 10 ms of an edge its neighbour is right as well."""
    near = {by_formula(long_goodbyes.RECORDED, gap + off) for off in (-0.01, 0.0, 0.01)}
    return found if found in near else by_formula(long_goodbyes.RECORDED, gap)


def test_the_presets_do_what_they_are_called() -> None:
    def lost(preset: Mapping[str, Any]) -> int:
        scenario = long_goodbyes.panel_scenario().replace_all(preset)
        run = labkit.run(scenario, progress=False, trace=True)
        found = [probe.outcome for probe in long_goodbyes.probes_of(run)]
        return found.count(Outcome.LOST)

    assert lost({}) == 2
    assert {name: lost(each) for name, each in long_goodbyes.PRESETS.items()} == {
        "the client leaves in time": 0,
        "hardly a delayed close": 0,
        "a longer drain": 2,
    }


# -- old age -------------------------------------------------------------------------


def test_draining_loses_more_than_closing_and_announcing_loses_nothing() -> None:
    failed = [
        long_goodbyes.short_lives(changes, requests=600).failed
        for changes in long_goodbyes.WAYS.values()
    ]
    at_once, drained, leaves_first, announced = failed
    assert drained > at_once
    assert leaves_first == announced == 0


# -- a deploy -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_each_step_of_a_deploy_takes_one_kind_of_failure_away(seed: int) -> None:
    causes = [
        dict(labkit.run(long_goodbyes.deploy(way, seed), progress=False).errors)
        for way in long_goodbyes.DEPLOYS
    ]
    cut_off, closing, announcing, repeating = causes
    assert set(cut_off) == {"ServerDisconnected"}
    assert set(closing) == {"ServerDisconnected", "ConnectRefused"}
    assert set(announcing) == {"ConnectRefused"}
    assert repeating == {}


def test_a_deploy_says_what_it_cost() -> None:
    first, *_, last = long_goodbyes.DEPLOYS
    assert long_goodbyes.deployed(first)["causes"].endswith("ServerDisconnected")
    assert long_goodbyes.deployed(last) == {
        "the old one": last,
        "failed": "0 of 600",
        "95 % interval": "0.00% to 0.64%",
        "causes": "",
    }

"""Long goodbyes: every probe meets its phase, every road to the budget passes."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import pytest

import labkit
from labkit.lessons import long_goodbyes as goodbyes
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
    scenario = goodbyes.goodbye(*timers)
    found = goodbyes.probe(scenario, goodbyes.around(sum(timers[:3]), 61))
    for probe in found.probes:
        assert probe.outcome is by_formula(scenario, probe.gap), probe


def test_a_lost_request_hears_of_it_when_the_delayed_close_is_over() -> None:
    found = goodbyes.probe(goodbyes.RECORDED, [0.9, 1.1]).probes
    assert [p.gap + p.waited for p in found] == pytest.approx([1.2, 1.2], abs=1e-6)


@pytest.mark.parametrize(("timers", "ends"), [((5, 5, 1), 11.0), ((5, 0, 0), 5.0)])
def test_a_silent_connection_ends_after_all_timers(
    timers: tuple[float, ...], ends: float
) -> None:
    found = goodbyes.patience(goodbyes.goodbye(*timers))
    assert found == pytest.approx(ends, abs=1e-6)


def test_the_recorded_envoy_meets_the_same_phases() -> None:
    envoy, how = goodbyes.recorded()
    assert how["command"].startswith("python tools/record_goodbye.py")
    assert how["program"].startswith("Envoy")
    assert how["delay_s"] == goodbyes.RECORDED.hops[0].link.delay
    assert how["idle_timeout_s"] == goodbyes.RECORDED.hops[0].server.idle_timeout
    wrong = [p for p in envoy.probes if p.outcome is not _mild(p.gap, p.outcome)]
    assert len(envoy.probes) == 27 * how["trials"]
    assert wrong == []


def _mild(gap: float, found: Outcome) -> Outcome:
    """The formula's phase; within 10 ms of an edge its neighbour is right as well."""
    near = {by_formula(goodbyes.RECORDED, gap + off) for off in (-0.01, 0.0, 0.01)}
    return found if found in near else by_formula(goodbyes.RECORDED, gap)


def test_the_presets_do_what_they_are_called() -> None:
    def lost(preset: Mapping[str, Any]) -> int:
        scenario = goodbyes.panel_scenario().replace_all(preset)
        run = labkit.run(scenario, progress=False, trace=True)
        found = [probe.outcome for probe in goodbyes.probes_of(run)]
        return found.count(Outcome.LOST)

    assert lost({}) == 2
    assert {name: lost(each) for name, each in goodbyes.PRESETS.items()} == {
        "the client leaves in time": 0,
        "hardly a delayed close": 0,
        "a longer drain": 2,
    }


# -- old age -------------------------------------------------------------------------


def test_draining_loses_more_than_closing_and_announcing_loses_nothing() -> None:
    failed = [
        goodbyes.short_lives(changes, requests=600).failed
        for changes in goodbyes.WAYS.values()
    ]
    at_once, drained, leaves_first, announced = failed
    assert drained > at_once
    assert leaves_first == announced == 0


# -- a deploy -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_each_step_of_a_deploy_takes_one_kind_of_failure_away(seed: int) -> None:
    causes = [
        dict(labkit.run(goodbyes.deploy(way, seed), progress=False).errors)
        for way in goodbyes.DEPLOYS
    ]
    cut_off, closing, announcing, repeating = causes
    assert set(cut_off) == {"ServerDisconnected"}
    assert set(closing) == {"ServerDisconnected", "ConnectRefused"}
    assert set(announcing) == {"ConnectRefused"}
    assert repeating == {}


def test_a_deploy_says_what_it_cost() -> None:
    first, *_, last = goodbyes.DEPLOYS
    assert "ServerDisconnected)" in goodbyes.deployed(first)
    assert goodbyes.deployed(last) == "0 of 600 failed, 0.00% to 0.64%"


# -- the exercise --------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {f"{POOL}.idle_timeout": 4.0},
        {f"{POOL}.idle_timeout": 8.0, f"{SERVER}.drain_timeout": 9.0},
        {
            f"{SERVER}.http1_safe_max_connection_duration": True,
            f"{POOL}.idle_timeout": 9.0,
        },
        {f"{POOL}.max_connection_duration": 20.0},
        {f"{POOL}.max_requests_per_connection": 1},
        {f"{SERVER}.max_requests_per_connection": 1},
        {f"{POOL}.retry.retry_on": ["reset"]},
        {f"{POOL}.idle_timeout": 4.9, f"{POOL}.max_requests_per_connection": 50},
        {
            f"{POOL}.max_connection_duration": 25.0,
            f"{SERVER}.max_connection_duration": inf,
        },
        {
            f"{SERVER}.max_connection_duration": 10.0,
            f"{SERVER}.drain_timeout": 18.0,
            f"{POOL}.idle_timeout": 17.0,
        },
        {"traffic.headers": {"Connection": "close"}},
    ],
)
def test_every_road_to_the_budget_is_accepted(changes: dict[str, Any]) -> None:
    told = goodbyes.check_leaving(goodbyes.leaving().replace_all(changes))
    assert told.passed, told


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({}, "ConnectionReset", "either sends something"),
        ({f"{POOL}.idle_timeout": 4.99}, "failed", "a round trip takes 20 ms"),
        ({f"{SERVER}.drain_timeout": 30.0}, "lived for 51", "the budget is 10 s"),
        (
            {f"{SERVER}.http1_safe_max_connection_duration": True},
            "silent after its first request",
            "on which nothing happens",
        ),
        ({f"{SERVER}.max_connection_duration": 1e9}, "busy", "longer than is allowed"),
        (
            {f"{SERVER}.drain_timeout": 0.0, f"{SERVER}.delayed_close_timeout": 0.0},
            "ServerDisconnected",
            "nobody was told",
        ),
        (
            {f"{SERVER}.drain_timeout": 0.0},
            "ConnectionReset",
            "drains for 0 s",
        ),
        (
            {
                f"{SERVER}.http1_safe_max_connection_duration": True,
                f"{SERVER}.idle_timeout": 3.0,
            },
            "failed",
            "idle timeouts of its two ends",
        ),
        (
            {
                f"{SERVER}.http1_safe_max_connection_duration": True,
                f"{POOL}.idle_timeout": 10.4,
            },
            "silent from just before 20 s on lived for 30.4",
            "The client leaves after 10.4 s",
        ),
        (
            {
                f"{SERVER}.accept_http_10": False,
                "traffic.http_version": "1.0",
            },
            "answered 426 and never executed",
            "each once",
        ),
        (
            {
                f"{POOL}.idle_timeout": 4.0,
                f"{SERVER}.idle_timeout": 3.0,
                f"{SERVER}.drain_timeout": 0.5,
            },
            "failed",
            "idle timeouts of its two ends",
        ),
        ({f"{POOL}.max_connection_duration": 26.0}, "failed", "either sends something"),
        (
            {
                f"{POOL}.idle_timeout": 4.0,
                "origin.script": "early-answer",
                "traffic.methods": {"POST": 1.0},
                "traffic.body_bytes": 10,
            },
            "answered 413",
            "each once",
        ),
        ({f"{POOL}.idle_timeout": 4.0, "hop.0.link.forget_after": 3.0}, "failed", ""),
        ({"hop.1.server.idle_timeout": 4.0}, "only hop 0 is yours", ""),
        ({"lab.horizon": 1.0}, "never comes to an end", ""),
    ],
)
def test_a_mistake_gets_a_hint_of_its_own(
    changes: dict[str, Any], message: str, hint: str
) -> None:
    told = goodbyes.check_leaving(goodbyes.leaving().replace_all(changes))
    assert not told.passed
    assert message in told.message and hint in told.hint


@pytest.mark.parametrize("wrong", [None, 5, "leaving"])
def test_something_else_than_a_scenario_gets_a_sentence(wrong: object) -> None:
    assert "not a Scenario" in goodbyes.check_leaving(wrong).message


def test_another_chain_gets_a_sentence() -> None:
    assert "this chain has two" in goodbyes.check_leaving(labkit.Scenario()).message

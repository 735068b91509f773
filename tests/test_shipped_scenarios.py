"""What the first lines of each shipped scenario claim is what a run of it shows."""

from functools import cache

import pytest

import labkit
from labkit.resources import scenario_file

MOST_REQUESTS_IN_A_RUN = 5000


@cache
def run(name: str) -> labkit.Run:
    scenario = labkit.Scenario.from_toml(scenario_file(name))
    return labkit.run(scenario, progress=False)


@pytest.mark.parametrize(
    ("name", "status", "flag", "hop"),
    [
        ("node-behind-alb", 502, "", 0),
        ("mistuned-downstream", 502, "", 0),
        ("mistuned-upstream", 503, "UC", 1),
    ],
)
def test_a_mistuned_chain_fails_on_the_hop_and_with_the_status_it_says(
    name: str, status: int, flag: str, hop: int
) -> None:
    done = run(name)
    assert done.requests <= MOST_REQUESTS_IN_A_RUN
    assert done.failed >= 5
    assert done.statuses[status] == done.failed
    assert dict(done.flags) == ({flag: done.failed} if flag else {})
    assert [each.races for each in done.hops][hop] == done.failed


def test_a_retry_hides_the_race_of_the_last_hop() -> None:
    alb, envoy = run("alb-envoy-node").hops
    assert run("alb-envoy-node").failed == alb.races == 0
    assert envoy.races == envoy.retries > 0


# What two Envoys of 1.40 in a row did, which is measured below once more.
DYING = {"origin.fails_after_execute": 1.0, "traffic.requests": 6, "traffic.rate": 5.0}
PAYOUTS = {
    "istio-1.23": (503, "URX", "via_upstream", 3, 3),
    "istio-1.24": (503, "-", "via_upstream", 1, 1),
}
ENVOYS = ("live", "envoy")


@pytest.mark.parametrize("name", PAYOUTS)
@pytest.mark.parametrize(
    ("engine", "proxy"),
    [
        ("virtual", "labkit"),
        pytest.param(*ENVOYS, marks=[pytest.mark.live, pytest.mark.real]),
    ],
)
def test_two_envoys_in_a_row_pay_three_times_or_once(
    name: str, engine: str, proxy: str
) -> None:
    scenario = labkit.Scenario.from_toml(scenario_file(name)).replace_all(DYING)
    done = labkit.run(scenario, engine=engine, proxy=proxy, progress=False)
    outcomes = {
        (each.status, each.flags, each.details, each.executed, each.attempts)
        for each in done.exchanges
    }
    assert outcomes == {PAYOUTS[name]} and len(done.exchanges) == 6


def test_the_newer_defaults_pay_nothing_twice_and_tell_the_client() -> None:
    old, new = run("istio-1.23"), run("istio-1.24")
    assert old.failed == 0 and old.duplicates == old.hops[1].retries >= 5
    assert new.failed >= 5 and new.duplicates == new.hops[1].retries == 0
    assert {lost.executed for lost in new.failures} == {1}


def test_timers_in_order_leave_nothing_to_fail_or_to_retry() -> None:
    done = run("safe")
    assert done.failed == 0
    assert all(each.races == each.retries == 0 for each in done.hops)
    assert all(each.reused > 0 for each in done.hops)

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


def test_timers_in_order_leave_nothing_to_fail_or_to_retry() -> None:
    done = run("safe")
    assert done.failed == 0
    assert all(each.races == each.retries == 0 for each in done.hops)
    assert all(each.reused > 0 for each in done.hops)

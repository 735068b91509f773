"""Public reports, reproduced: each fails as it was reported, and its mends end that.

A mend is a line of the scenario's own comment, in the words of ``--set``.
"""

from argparse import Namespace
from functools import cache
from pathlib import Path

import pytest

import labkit
from labkit.cli.scenario import read
from labkit.resources import scenario_file

REPORTS = sorted(scenario_file("safe").parent.joinpath("reports").glob("*.toml"))
MEND = "# mended by: "
TWO_LIVES = "envoy-15788"


@cache
def run(name: str, *changes: str) -> labkit.Run:
    [path] = [each for each in REPORTS if each.stem == name]
    scenario = read(Namespace(file=path, changes=changes))
    return labkit.run(scenario, progress=False)


def mends() -> list[tuple[str, str]]:
    return [
        (path.stem, line.removeprefix(MEND))
        for path in REPORTS
        for line in path.read_text().splitlines()
        if line.startswith(MEND)
    ]


@pytest.mark.parametrize(("name", "changes"), mends())
def test_a_mend_leaves_nothing_to_fail_and_nothing_done_twice(
    name: str, changes: str
) -> None:
    mended = run(name, *changes.split())
    assert mended.failed == mended.duplicates == 0
    assert run(name).failed + run(name).duplicates > 0


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_every_report_is_named_and_numbered(path: Path) -> None:
    number = next(word for word in path.stem.split("-") if word.isdigit())
    scenario = labkit.Scenario.from_toml(path)
    assert number in scenario.name and scenario.seed == int(number)
    assert path.stem == TWO_LIVES or MEND in path.read_text()


@pytest.mark.parametrize(
    "name", ["envoy-13388-idle-timeout", "envoy-13388-max-connection-duration"]
)
def test_a_balancer_that_meets_a_deaf_envoy_says_502_and_envoy_logs_nothing(
    name: str,
) -> None:
    done = run(name)
    assert done.failed == done.statuses[502] == done.hops[0].races >= 10
    assert done.errors["ConnectionReset"] >= 0.9 * done.failed and not done.flags
    assert {(lost.hop, lost.executed) for lost in done.failures} == {(0, 0)}


def test_each_of_the_two_goodbyes_is_told_by_its_own_timer() -> None:
    def whys(name: str) -> set[str]:
        done = run(name)
        lost = {(0, each.connections[0]) for each in done.failures}
        return {life.why for life in done.lives if (life.hop, life.connection) in lost}

    assert whys("envoy-13388-idle-timeout") == {"idle timeout"}
    assert whys("envoy-13388-max-connection-duration") == {"max connection duration"}


@pytest.mark.parametrize("name", ["envoy-6815", "envoy-1979", "envoy-2324"])
def test_an_upstream_that_gives_up_first_makes_503_uc_of_some_requests(
    name: str,
) -> None:
    done = run(name)
    assert done.failed == done.statuses[503] == done.flags["UC"] >= 5
    assert done.hops[1].races == done.failed
    assert all(lost.executed == 0 for lost in done.failures)


def test_a_margin_of_less_than_a_round_trip_fails_by_the_part_it_lacks() -> None:
    timeouts = {margin: 5.0 - margin for margin in (0.01, 0.03, 0.051)}
    failed = {
        margin: run("envoy-2324", f"hop.1.pool.idle_timeout={timeout}").failed
        for margin, timeout in timeouts.items()
    }
    assert failed[0.01] > failed[0.03] > failed[0.051] == 0


def test_a_pool_that_never_looks_fails_seconds_after_the_fin() -> None:
    done = run("envoy-6190-missed-disconnect")
    before = [done.exchanges[lost.number - 1] for lost in done.failures]
    pauses = [
        lost.sent - (prior.done or 0.0)
        for prior, lost in zip(before, done.failures, strict=True)
    ]
    assert len(pauses) == 20 and min(pauses) > 5.0 + 1.0


def test_a_half_closed_connection_is_handed_to_every_other_request() -> None:
    done = run("envoy-2715")
    assert done.failed == done.flags["UC"] == done.requests / 2
    # With four at once, the second and the fourth get what the first and third left.
    assert {lost.number % 2 for lost in done.failures} == {1}


def test_an_upstreams_close_does_not_reach_the_client() -> None:
    done = run(TWO_LIVES)
    assert done.failed == 0
    assert [hop.opened for hop in done.hops] == [1, done.requests]


def test_the_word_for_requests_that_never_left_saves_none_that_did() -> None:
    done, without = (
        run("envoy-47468"),
        run("envoy-47468", "hop.1.pool.retry.retry_on=[]"),
    )
    assert done.failed == without.failed >= 4
    assert done.hops[1].retries == 0


SINCE_1_24 = "hop.1.pool.retry.retriable_status_codes=[]"


def test_an_outer_proxy_that_repeats_a_503_makes_a_second_payout() -> None:
    done = run("istio-50506")
    assert done.failed == 0 and done.duplicates == done.hops[1].retries >= 5
    assert done.hops[2].retries == 0
    paid_again = [each for each in done.exchanges if each.executed > 1]
    assert {(each.status, each.executed) for each in paid_again} == {(200, 2)}


def test_without_a_list_of_codes_the_payout_is_made_once_and_the_answer_is_a_503() -> (
    None
):
    done = run("istio-50506", SINCE_1_24)
    assert done.duplicates == done.hops[1].retries == 0 and done.failed >= 5
    assert {(lost.status, lost.executed) for lost in done.failures} == {(503, 1)}
    assert {(lost.flags, lost.details) for lost in done.failures} == {
        ("-", "via_upstream")
    }


def test_an_application_that_dies_every_time_executes_three_times() -> None:
    done = run("istio-50506", "origin.fails_after_execute=1.0", "traffic.requests=20")
    assert {(lost.status, lost.executed) for lost in done.failures} == {(503, 3)}
    assert dict(done.flags) == {"URX": done.requests}


def test_a_busy_server_resets_requests_that_came_in_time() -> None:
    done = run("node-52649")
    assert done.failed == done.errors["ConnectionReset"] >= 5
    assert all(lost.executed == 0 for lost in done.failures)
    timed_out = {life.why for life in done.lives if life.closed_by == "server"}
    assert timed_out == {"idle timeout"}


def test_a_silent_proxy_leaves_its_client_without_a_status() -> None:
    done = run("haproxy-1423-silent-close")
    assert done.failed >= 5 and {lost.status for lost in done.failures} == {None}
    assert set(done.statuses) == {200}

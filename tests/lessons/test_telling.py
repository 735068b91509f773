"""A demonstration is told without an interval, a sample with one."""

import labkit
from labkit.lessons import queue, race, start
from labkit.lessons.telling import is_demonstration, order, told


def test_a_run_that_was_built_to_fail_has_no_interval() -> None:
    run = labkit.run(start.failing_chain(), progress=False)
    assert is_demonstration(run)
    assert "1 of 6 requests failed (1 ServerDisconnected)" in told(run)
    assert "1 to proxy, 1 to upstream" in told(run)
    assert "interval" not in told(run)


def test_two_requests_of_a_fixed_period_are_a_demonstration_too() -> None:
    run = labkit.run(queue.hand_out(), progress=False)
    assert is_demonstration(run) and "interval" not in told(run)


def test_a_sample_keeps_its_interval_however_small() -> None:
    changes = {"traffic.arrivals": "poisson", "traffic.rate": 1.0}
    run = labkit.run(start.failing_chain().replace_all(changes), progress=False)
    assert told(run) == run.summary() and "95 % interval" in told(run)


def test_many_gaps_of_a_log_are_a_sample() -> None:
    scenario = start.failing_chain().replace("traffic.requests", 50)
    assert "95 % interval" in told(labkit.run(scenario, progress=False))


def test_a_chain_without_a_name_is_told_by_its_programs() -> None:
    run = labkit.run(start.failing_chain().replace("name", ""), progress=False)
    assert told(run).startswith("client - proxy - upstream, virtual engine:")


def test_what_was_executed_more_than_once_is_counted() -> None:
    changes = {
        "hop.1.pool.retry.retry_on": ["reset"],
        "origin.script": "execute-then-reset",
    }
    run = labkit.run(start.failing_chain().replace_all(changes), progress=False)
    assert "6 executed more than once" in told(run)


def test_the_order_of_each_hop_is_a_line_of_its_own() -> None:
    scenario = race.race().replace("hop.1.pool.idle_timeout", 60.0)
    first, second = order(scenario).splitlines()
    assert first.startswith("client → proxy: ")
    assert second.endswith("the pool gives up 58 s after the server: unsafe")
    assert order(scenario, 1) == second

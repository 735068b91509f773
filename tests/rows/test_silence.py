"""Nobody answers, or somebody looks late: who notices, when, and with which error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit import Hop, Run, Scenario, SettingsError, run
from labkit.clock import Deadlock
from labkit.settings import Server
from labkit.theory import predicted

INF = float("inf")
BOTH = pytest.mark.parametrize(
    ("engine", "near"),
    [("virtual", 1e-9), pytest.param("live", 0.05, marks=pytest.mark.live)],
)
DELAY = 0.01
PROBES = {"time": 1, "interval": 1, "probes": 1}
# Two requests with a silence between them, in which a middlebox may forget the flow.
SILENCE = {
    "traffic.arrivals": "gaps",
    "traffic.gaps": [2.5],
    "traffic.requests": 2,
    "hop.0.link.delay": DELAY,
    "hop.0.pool.timeout": INF,
}


def silence(engine: str = "virtual", **changes: Any) -> Run:
    told = {path.replace("__", "."): value for path, value in changes.items()}
    hop = {f"hop.0.{path}": value for path, value in told.items() if "." in path}
    scenario = Scenario(hops=(Hop(),)).replace_all(SILENCE | hop)
    return run(scenario, engine=engine, progress=False)


def taken(done: Run) -> float:
    last = done.exchanges[-1]
    assert last.done is not None
    return last.done - last.sent


def end(done: Run) -> tuple[str, str]:
    return done.lives[0].closed_by, done.lives[0].why


# -- a middlebox that forgets ----------------------------------------------------------


@BOTH
def test_a_middlebox_that_answers_does_so_at_once(engine: str, near: float) -> None:
    done = silence(engine, link__forget_after=1.0, link__forgets="rst")
    assert done.errors["ConnectionReset"] == done.failed == 1
    assert taken(done) == pytest.approx(DELAY, abs=near)
    assert end(done) == ("link", "forgotten on the way")


def test_the_retry_of_a_request_takes_the_next_dead_connection() -> None:
    pools = {"pool__retry__retry_on": ["reset"], "pool__retry__num_retries": 2}
    burst = Scenario(hops=(Hop(),)).replace_all(
        SILENCE
        | {"traffic.burst": 3, "traffic.requests": 4}
        | {"hop.0.link.forget_after": 1.0, "hop.0.link.forgets": "rst"}
        | {f"hop.0.{path.replace('__', '.')}": value for path, value in pools.items()}
    )
    done = run(burst, progress=False)
    assert done.failed == 1 and done.exchanges[-1].attempts == 3
    assert done.hops[0].retries == 2


def test_a_write_that_nobody_acknowledges_ends_after_a_quarter_of_an_hour() -> None:
    done = silence(link__forget_after=1.0)
    assert done.errors["ConnectionReset"] == done.failed == 1
    assert 900 < taken(done) < 1100
    assert end(done) == ("link", "write unanswered")


@BOTH
def test_a_user_timeout_ends_it_sooner(engine: str, near: float) -> None:
    done = silence(engine, link__forget_after=1.0, pool__user_timeout=0.3)
    # A tail probe and a retransmission come first: 0.2 s each, and a round trip each.
    assert taken(done) == pytest.approx(0.3 + 0.408 + 3 * 2 * DELAY, abs=near)
    assert done.failed == 1


def test_a_host_that_never_answers_a_syn_is_given_up_after_two_minutes() -> None:
    scenario = Scenario(hops=(Hop(),)).replace_all(
        SILENCE
        | {"traffic.requests": 1, "hop.0.pool.connect_timeout": INF}
        | {"origin.script": "unreachable"}
    )
    done = run(scenario, progress=False)
    assert done.errors["ConnectTimeout"] == 1
    assert taken(done) == pytest.approx(127.0 + DELAY)


# -- probes ----------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("side", ["pool", "server"])
def test_probes_of_either_side_keep_a_flow_in_mind(
    side: str, engine: str, near: float
) -> None:
    probes: dict[str, Any] = {f"{side}__tcp_keepalive": PROBES}
    done = silence(engine, link__forget_after=1.5, **probes)
    assert done.failed == 0 and done.hops[0].opened == 1


@BOTH
def test_a_pool_finds_out_by_its_probes_and_dials_anew(
    engine: str, near: float
) -> None:
    done = silence(engine, link__forget_after=0.5, pool__tcp_keepalive=PROBES)
    assert done.failed == 0 and done.hops[0].opened == 2
    assert end(done) == ("link", "keep-alive unanswered")
    heard = done.exchanges[0].done
    assert heard is not None and done.lives[0].closed is not None
    assert done.lives[0].closed - heard == pytest.approx(2.0, abs=near)


def test_a_server_that_finds_out_does_not_save_the_next_request() -> None:
    probes: dict[str, Any] = {"server__tcp_keepalive": PROBES}
    done = silence(link__forget_after=0.5, pool__user_timeout=1.0, **probes)
    assert done.failed == 1 and end(done) == ("link", "keep-alive unanswered")


def test_a_user_timeout_counts_in_the_place_of_probes() -> None:
    many = PROBES | {"probes": 9}
    done = silence(
        link__forget_after=0.5, pool__tcp_keepalive=many, pool__user_timeout=1.5
    )
    assert done.lives[0].closed == pytest.approx(done.exchanges[0].done + 2.0)  # type: ignore[operator]


def test_a_world_of_probes_and_answers_alone_is_told_from_one_that_goes_on() -> None:
    scenario = Scenario(hops=(Hop(),)).replace_all(
        SILENCE | {"origin.script": "hang", "hop.0.pool.tcp_keepalive": PROBES}
    )
    with pytest.raises(Deadlock):
        run(scenario, progress=False)
    long = SILENCE | {"traffic.gaps": [3600.0], "hop.0.link.forget_after": 5.0}
    scenario = Scenario(hops=(Hop(),)).replace_all(long)
    assert run(scenario, progress=False).failed == 1
    probed = scenario.replace("hop.0.pool.tcp_keepalive", PROBES)
    assert run(probed, progress=False).failed == 0


# -- lateness --------------------------------------------------------------------------


@BOTH
def test_a_busy_server_closes_before_it_reads_what_has_come(
    engine: str, near: float
) -> None:
    scenario = Scenario(hops=(Hop(),)).replace_all(
        {"traffic.arrivals": "gaps", "traffic.gaps": [0.45], "traffic.requests": 12}
        | {"hop.0.link.delay": DELAY, "hop.0.server.idle_timeout": 0.5}
    )
    assert run(scenario, progress=False).failed == 0
    busy = scenario.replace("hop.0.server.lag", 0.4)
    done = run(busy, engine=engine, progress=False)
    assert done.failed == done.errors["ConnectionReset"] >= 2


def test_a_busy_pool_sends_on_a_connection_whose_fin_it_has_not_seen() -> None:
    scenario = Scenario(hops=(Hop(),)).replace_all(
        {"traffic.arrivals": "gaps", "traffic.gaps": [0.6], "traffic.requests": 40}
        | {"hop.0.link.delay": DELAY, "hop.0.server.idle_timeout": 0.5}
    )
    assert run(scenario, progress=False).failed == 0
    done = run(scenario.replace("hop.0.pool.lag", 0.4), progress=False)
    assert done.failed == done.errors["ServerDisconnected"] >= 3
    assert done.hops[0].races == done.failed


# -- the rule, and the other engines ---------------------------------------------------

LATE = st.sampled_from([0.0, 0.003, 0.02])


@settings(max_examples=25)
@given(
    idle=st.floats(0.3, 3.0),
    pool_lag=LATE,
    server_lag=LATE,
    gaps=st.lists(st.floats(0.0, 4.0), min_size=1, max_size=6),
)
def test_safe_by_the_rule_and_the_lags_stays_safe(
    idle: float, pool_lag: float, server_lag: float, gaps: list[float]
) -> None:
    patience = idle - 2 * DELAY - 2 * pool_lag - server_lag - 1e-3
    scenario = Scenario(hops=(Hop(),)).replace_all(
        {"traffic.arrivals": "gaps", "traffic.gaps": gaps, "traffic.requests": 30}
        | {"hop.0.link.delay": DELAY, "hop.0.server.idle_timeout": idle}
        | {"hop.0.pool.lag": pool_lag, "hop.0.server.lag": server_lag}
        | {"hop.0.pool.idle_timeout": patience}
    )
    assert run(scenario, progress=False).failed == 0


@settings(max_examples=15)
@given(rate=st.floats(0.05, 2.0), seed=st.integers(0, 99), rst=st.booleans())
def test_probes_of_a_link_that_forgets_nothing_change_no_request(
    rate: float, seed: int, rst: bool
) -> None:
    plain = Scenario(seed=seed, hops=(Hop(),)).replace_all(
        {"traffic.rate": rate, "hop.0.link.delay": DELAY}
        | {"hop.0.server.idle_timeout": 3.0}
    )
    probed = plain.replace_all(
        {"hop.0.pool.tcp_keepalive": PROBES, "hop.0.server.tcp_keepalive": PROBES}
        | {"hop.0.pool.user_timeout": 5.0, "hop.0.link.forgets": "rst" if rst else None}
    )
    one, other = (run(each, progress=False) for each in (plain, probed))
    assert list(one.exchanges) == list(other.exchanges)
    one, other = (run(each, "model", progress=False) for each in (plain, probed))
    assert (one.failed, one.hops) == (other.failed, other.hops)


@pytest.mark.parametrize("side", ["pool", "server"])
def test_model_and_theory_refuse_lateness_by_name(side: str) -> None:
    scenario = Scenario(hops=(Hop(),)).replace(f"hop.0.{side}.lag", 0.01)
    with pytest.raises(SettingsError, match=f"hop.0.{side}.lag is 0.01"):
        run(scenario, engine="model", progress=False)
    with pytest.raises(SettingsError, match=f"hop.0.{side}.lag is 0.01"):
        predicted(scenario)


@pytest.mark.parametrize(
    "wrong", [{}, {"time": 0}, {"time": 1.5}, {"probes": 128}, {"idle": 3}, 5]
)
def test_a_wrong_table_of_probes_is_one_sentence(wrong: Any) -> None:
    with pytest.raises(SettingsError, match="allowed: a table of time and interval"):
        Server(tcp_keepalive=wrong)

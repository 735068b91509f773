"""A real program in the proxy's place does what its table, or our own proxy, says."""

import pytest

from labkit.proxies import PROGRAMS
from labkit.records.trace import Direction, Kind
from tests.proxies.chains import (
    INSIDE,
    PAUSE,
    calm,
    counts,
    longer,
    racing,
    run,
    story,
    virtually,
)

pytestmark = pytest.mark.live
NEEDS = tuple(PROGRAMS)
RETRY = "hop.1.pool.retry"
UC = "upstream_reset_before_response_started{connection_termination}"


def test_a_chain_answers_through_envoy_and_the_links_see_it() -> None:
    done = run(calm(PAUSE, PAUSE))
    assert story(done) == [(200, None, None, 1, 1, (1, 1))] * 3
    assert [e.details for e in done.exchanges] == ["via_upstream"] * 3
    assert counts(done) == [(1, 2, 0, 0), (1, 2, 0, 0)]
    assert done.proxy == "envoy" == done.to_json()["proxy"]
    assert "with real envoy" in done.summary()
    assert 0 <= done.exchanges[0].sent < 0.05
    asked = [e for e in done.trace if e.kind is Kind.DATA and e.hop == 1]
    assert [e.direction for e in asked[:2]] == [
        Direction.UPSTREAM,
        Direction.DOWNSTREAM,
    ]
    assert all(event.sent >= 0 for event in done.trace)


# -- the race ------------------------------------------------------------------------


# The status, flags and beginning of the details of the request in the window, and how
# many client connections were opened.
LOST = {
    "envoy": (503, "UC", UC, 1),
    "nginx": (502, "-", "upstream prematurely closed connection", 1),
    "haproxy": (None, "-", "", 2),
}


@pytest.mark.parametrize("name", LOST)
def test_in_the_window_it_fails_and_log_or_links_say_why(name: str) -> None:
    status, flags, details, opened = LOST[name]
    done = run(racing(INSIDE, PAUSE), name)
    lost = done.exchanges[1]
    assert [e.status for e in done.exchanges] == [200, status, 200]
    assert (lost.error, lost.hop, lost.executed) == ("ServerDisconnected", 1, 0)
    assert (lost.flags, lost.connections) == (flags, (1, 1))
    assert lost.details.startswith(details)
    assert counts(done) == [(opened, 3 - opened, 0, 0), (2, 1, 1, 0)]
    assert done.failed == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_retry_saves_it_in_a_second_attempt(name: str, method: str) -> None:
    changes = {f"{RETRY}.retry_on": ["reset"], "traffic.methods": {method: 1.0}}
    done = run(racing(INSIDE).replace_all(changes), name)
    saved = done.exchanges[1]
    assert (saved.status, saved.executed, saved.connections) == (200, 1, (1, 2))
    assert (saved.error, done.failed, counts(done)[1][:3]) == (None, 0, (2, 1, 1))
    # HAProxy 2.6 sometimes forgets to count the retry of a POST in its log.
    if (name, method) != ("haproxy", "POST"):
        assert (saved.attempts, done.hops[1].retries) == (2, 1)


@pytest.mark.parametrize(
    ("name", "methods", "status"),
    [("nginx", ["GET", "PUT"], 502), ("haproxy", ["GET"], None)],
)
def test_a_retry_can_be_kept_from_a_method(
    name: str, methods: list[str], status: int | None
) -> None:
    changes = {
        f"{RETRY}.retry_on": ["reset"],
        f"{RETRY}.methods": methods,
        "traffic.methods": {"POST": 1.0},
    }
    done = run(racing(INSIDE).replace_all(changes), name)
    assert [e.status for e in done.exchanges] == [200, status]


PAIRS = [
    *("envoy", "labkit,envoy", "envoy,labkit", "nginx", "nginx,envoy", "envoy,nginx"),
    *("haproxy", "envoy,haproxy", "haproxy,nginx"),
]


@pytest.mark.parametrize("proxy", PAIRS)
def test_two_proxies_in_a_row_may_be_real_or_ours(proxy: str) -> None:
    chain = longer(racing(INSIDE, PAUSE))
    done = run(chain, proxy)
    assert [(e.error, e.hop, e.executed) for e in done.exchanges] == [
        (None, None, 1),
        ("ServerDisconnected", 2, 0),
        (None, None, 1),
    ]
    assert [hop.races for hop in done.hops] == [0, 0, 1]
    if "haproxy" not in proxy:
        status = 502 if proxy.endswith("nginx") else 503
        assert done.exchanges[1].status == status
        told = [e.connections for e in done.exchanges]
        assert told == [(1, 1, 1), (1, 1, 1), (1, 1, 2)]
        assert counts(done) == [(1, 2, 0, 0), (1, 2, 0, 0), (2, 1, 1, 0)]
    if "haproxy" not in proxy and "nginx" not in proxy:
        assert story(done) == story(virtually(chain))

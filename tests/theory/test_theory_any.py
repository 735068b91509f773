"""Whatever a scenario says, theory has an ordered answer or one clear sentence."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from labkit.settings import Hop, Link, Origin, Pool, Retry, Scenario, Server, Traffic
from labkit.settings import SettingsError as Refused
from labkit.theory import Prediction, predicted
from tests.scenarios import scenarios


def answer(asked: Scenario) -> Prediction | None:
    try:
        told = predicted(asked)
    except Refused as refused:
        text = str(refused)
        assert "; allowed: " in text and "\n" not in text
        assert asked.get(text.split(" is ")[0]) is not None or "script" in text
        return None
    assert 0.0 <= told.low <= told.share <= told.high <= 1.0
    assert told.is_exact is (told.low == told.high)
    return told


@effort(max_examples=100, deadline=None)
@given(scenarios)
def test_any_scenario_gets_an_ordered_answer_or_a_sentence(asked: Scenario) -> None:
    if asked.traffic.requests > 10_000:
        asked = asked.replace("traffic.requests", 100)
    answer(asked)


spans = st.floats(0.0, 30.0)
hops = st.builds(
    Hop,
    pool=st.builds(
        Pool,
        idle_timeout=spans | st.just(math.inf),
        max_connections=st.sampled_from([1, 2, 1024, math.inf]),
        max_requests_per_connection=st.sampled_from([1, 2, 100, math.inf]),
        max_connection_duration=spans | st.just(math.inf),
        reuse=st.sampled_from(["lifo", "fifo"]),
        timeout=st.just(1e6),
        connect_timeout=st.just(1e6),
        retry=st.builds(Retry, retry_on=st.sampled_from([(), ("reset",), ("5xx",)])),
    ),
    link=st.builds(Link, delay=st.floats(0.0, 0.3), jitter=st.floats(0.0, 0.1)),
    server=st.builds(
        Server,
        idle_timeout=st.floats(2.0, 60.0) | st.just(math.inf),
        drain_timeout=spans,
        delayed_close_timeout=spans,
        tick=st.sampled_from([0.0, 0.5, 10.0]),
        max_connection_duration=st.just(math.inf) | st.floats(1.0, 100.0),
    ),
)


@effort(max_examples=150, deadline=None)
@given(
    st.lists(hops, min_size=1, max_size=3),
    st.floats(1e-6, 1e3),
    st.floats(0.0, 1.0),
    st.sampled_from(["poisson", "poisson", "periodic"]),
)
def test_all_knobs_that_theory_knows_can_be_turned(
    chain: list[Hop], rate: float, service: float, arrivals: str
) -> None:
    answer(
        Scenario(
            traffic=Traffic(rate=rate, arrivals=arrivals),
            hops=tuple(chain),
            origin=Origin(service_time=service, service_jitter=service / 3.0),
        )
    )

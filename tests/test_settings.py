"""Settings: what is valid, what a wrong value is told, what follows from what."""

import copy
import csv
import dataclasses
import math
import pickle
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.resources import data as data_file
from labkit.settings import (
    Event,
    Hop,
    LabSettings,
    Link,
    Origin,
    Pool,
    Retry,
    Scenario,
    Server,
    SettingsError,
    Traffic,
    knobs,
)
from labkit.settings.paths import turned
from labkit.settings.personalities import PERSONALITIES
from tests.scenarios import scenarios

INF = math.inf
NUMBERS = [each for each in knobs() if each.kind.is_number]
CHAIN = Scenario(hops=(Hop(), Hop()))


# -- defaults ----------------------------------------------------------------------

DEFAULTS = {
    "traffic.arrivals": "poisson",
    "traffic.rate": 1,
    "traffic.requests": 100,
    "traffic.gaps": (),
    "traffic.jitter": 0,
    "traffic.methods": {"GET": 1},
    "traffic.headers": {},
    "traffic.http_version": "1.1",
    "traffic.body_bytes": 0,
    "traffic.burst": 1,
    "hop.0.pool.idle_timeout": INF,
    "hop.0.pool.max_connection_duration": INF,
    "hop.0.pool.connect_timeout": 5,
    "hop.0.pool.max_requests_per_connection": INF,
    "hop.0.pool.timeout": 15,
    "hop.0.pool.max_connections": 1024,
    "hop.0.pool.max_pending_requests": 1024,
    "hop.0.pool.per_try_timeout": INF,
    "hop.0.pool.reuse": "lifo",
    "hop.0.pool.watch_fin": True,
    "hop.0.pool.reuse_delay": 1,
    "hop.0.pool.honours_hint": False,
    "hop.0.pool.failure": "none",
    "hop.1.pool.failure": "503",
    "hop.0.pool.tcp_keepalive": None,
    "hop.0.pool.user_timeout": INF,
    "hop.0.pool.lag": 0,
    "hop.0.pool.retry.retry_on": (),
    "hop.0.pool.retry.retriable_status_codes": (),
    "hop.0.pool.retry.num_retries": 1,
    "hop.0.pool.retry.methods": "any",
    "hop.0.pool.retry.base_interval": 0.025,
    "hop.0.pool.retry.max_retries": 3,
    "hop.0.pool.retry.max_interval": 0.25,
    "hop.0.link.delay": 0,
    "hop.0.pool.retry.buffer_limit": 1048576,
    "hop.0.link.jitter": 0,
    "hop.0.link.forget_after": INF,
    "hop.0.link.forgets": "drop",
    "hop.0.server.personality": "plain",
    "hop.0.server.idle_timeout": INF,
    "hop.0.server.drain_timeout": 0,
    "hop.0.server.delayed_close_timeout": 0,
    "hop.0.server.announce": False,
    "hop.0.server.max_connection_duration": INF,
    "hop.0.server.hint": False,
    "hop.0.server.http1_safe_max_connection_duration": False,
    "hop.0.server.max_requests_per_connection": INF,
    "hop.0.server.tick": 0,
    "hop.0.server.request_headers_timeout": INF,
    "hop.0.server.farewell": "fin",
    "hop.0.server.stream_idle_timeout": INF,
    "hop.0.server.accept_http_10": True,
    "hop.0.server.tcp_keepalive": None,
    "hop.0.server.lag": 0,
    "origin.service_time": 0,
    "origin.service_jitter": 0,
    "origin.script": None,
    "origin.fails_after_execute": 0,
    "origin.idempotency_keys": False,
    "origin.fin_after": None,
}


@pytest.mark.parametrize("path", DEFAULTS)
def test_what_is_not_written_has_the_documented_default(path: str) -> None:
    assert CHAIN.get(path) == DEFAULTS[path]


def test_times_are_floats_and_counts_are_whole() -> None:
    server = Server(idle_timeout=5, max_requests_per_connection=100.0)
    assert isinstance(server.idle_timeout, float)
    assert isinstance(server.max_requests_per_connection, int)


def test_the_programs_of_a_chain_have_names() -> None:
    assert Scenario().parties == ("client", "upstream")
    four = Scenario(hops=(Hop(name="alb"), Hop(), Hop(), Hop()))
    assert four.parties == ("alb", "proxy", "proxy 2", "proxy 3", "upstream")


def test_no_retries_is_another_policy_than_none_that_was_written() -> None:
    unsaid, none = CHAIN, CHAIN.replace("hop.1.pool.retry.retry_on", [])
    assert unsaid != none and none.hops[1].pool.retry.retry_on == ()
    assert "retry_on = []" in none.to_toml() and "retry" not in unsaid.to_toml()
    for scenario in (unsaid, none):
        assert Scenario.from_toml(scenario.to_toml()) == scenario
        assert Scenario.from_token(scenario.token()) == scenario
    assert none.replace("hop.1.pool.retry.retry_on", None) == unsaid


# -- personalities -----------------------------------------------------------------


def test_envoy_brings_its_own_defaults() -> None:
    server = Server(personality="envoy")
    goodbye = (server.idle_timeout, server.drain_timeout, server.delayed_close_timeout)
    assert goodbye == (3600, 5, 1)
    assert not server.accept_http_10


@pytest.mark.parametrize(
    ("personality", "idle_timeout"),
    [("plain", INF), ("envoy", 3600), ("nginx", 75), ("haproxy", INF), ("alb", 60)],
)
def test_idle_timeouts_are_those_of_the_product(
    personality: str, idle_timeout: float
) -> None:
    assert Server(personality=personality).idle_timeout == idle_timeout


@pytest.mark.parametrize(
    ("personality", "knob", "name", "parameter"),
    [
        ("envoy", "idle_timeout", "Envoy (downstream)", "idle_timeout (HCM)"),
        ("envoy", "drain_timeout", "Envoy (downstream)", "drain_timeout"),
        ("envoy", "delayed_close_timeout", "Envoy (downstream)", "delayed_close"),
        ("nginx", "idle_timeout", "nginx (client side", "keepalive_timeout"),
        ("nginx", "max_connection_duration", "nginx (client side", "keepalive_time"),
        ("alb", "idle_timeout", "AWS ALB (clients)", "idle_timeout"),
        ("alb", "max_connection_duration", "AWS ALB (clients)", "client_keep_alive"),
    ],
)
def test_a_personality_has_the_figures_of_the_table(
    personality: str, knob: str, name: str, parameter: str
) -> None:
    with data_file("default-timeouts.csv").open(newline="") as table:
        figures = [
            float(row["seconds"])
            for row in csv.DictReader(table)
            if row["name"].startswith(name) and parameter in row["parameter"]
        ]
    assert getattr(Server(personality=personality), knob) in figures


@pytest.mark.parametrize("personality", PERSONALITIES)
def test_a_value_written_wins_over_the_personality(personality: str) -> None:
    written = {"idle_timeout": 7.0, "drain_timeout": 0.0, "accept_http_10": True}
    server = Server(personality=personality, **written)
    assert {name: getattr(server, name) for name in written} == written


def test_a_new_personality_gives_new_defaults_to_what_was_not_written() -> None:
    plain = CHAIN.replace("hop.0.server.idle_timeout", 4.0)
    server = plain.replace("hop.0.server.personality", "envoy").hops[0].server
    assert (server.idle_timeout, server.drain_timeout) == (4.0, 5.0)


def test_a_default_that_was_written_stays_when_the_personality_changes() -> None:
    hops = (Hop(server=Server(idle_timeout=INF)),)
    scenario = Scenario(hops=hops).replace("hop.0.server.personality", "alb")
    assert scenario.hops[0].server.idle_timeout == INF


def test_none_makes_a_knob_unwritten_again() -> None:
    envoy = CHAIN.replace("hop.0.server.personality", "envoy")
    there_and_back = envoy.replace("hop.0.server.idle_timeout", 9.0).replace(
        "hop.0.server.idle_timeout", None
    )
    assert there_and_back == envoy


@pytest.mark.parametrize(
    ("owner", "failure"),
    [
        *(("plain", "503"), ("envoy", "503"), ("nginx", "502")),
        *(("haproxy", "silent"), ("alb", "502")),
    ],
)
def test_a_pool_fails_as_its_owner_does(owner: str, failure: str) -> None:
    scenario = CHAIN.replace("hop.0.server.personality", owner)
    assert [hop.pool.failure for hop in scenario.hops] == ["none", failure]


def test_a_failure_that_was_written_wins_over_the_owner() -> None:
    scenario = CHAIN.replace("hop.1.pool.failure", "503")
    nginx = scenario.replace("hop.0.server.personality", "nginx")
    assert nginx.hops[1].pool.failure == "503"


def test_a_hop_put_elsewhere_fails_as_its_new_owner_does() -> None:
    first = Scenario().hops[0]
    assert first.pool.failure == "none"
    assert Scenario(hops=(Hop(), first)).hops[1].pool.failure == "503"


# -- wrong values ------------------------------------------------------------------


@pytest.mark.parametrize("knob", NUMBERS, ids=lambda knob: knob.path)
@pytest.mark.parametrize("wrong", [-1, -INF, math.nan, True, "5", [5], {}, 1e300])
def test_a_number_out_of_range_is_refused_by_name(knob: Any, wrong: object) -> None:
    if knob.path == "seed" and wrong == -1:
        return
    with pytest.raises(SettingsError, match=f"^{re.escape(knob.path)} is .*; allowed"):
        Scenario().replace(knob.path, wrong)


@pytest.mark.parametrize("knob", knobs(), ids=lambda knob: knob.path)
@given(wrong=st.sampled_from([object(), b"x", {1: 2}, {"a b": "c"}, [[]], "\n", -5j]))
def test_no_knob_takes_nonsense(knob: Any, wrong: object) -> None:
    with pytest.raises(SettingsError) as caught:
        Scenario().replace(knob.path, wrong)
    told = str(caught.value)
    assert told.startswith(f"{knob.path} is ")
    assert "\n" not in told


WRONG = [
    (lambda: Server(idle_timeout=-1), 'server.idle_timeout is -1; allowed: 0 to 1e+09'),
    (lambda: Server(personality="iis"), 'server.personality is "iis"; allowed: "pl'),
    (lambda: Pool(max_connections=0), "pool.max_connections is 0; allowed: a whole"),
    (lambda: Pool(max_connections=1.5), "pool.max_connections is 1.5; allowed: a"),
    (lambda: Pool(timeout=0), "pool.timeout is 0; allowed: more than 0"),
    (lambda: Pool(watch_fin=1), "pool.watch_fin is 1; allowed: true or false"),
    (lambda: Pool(retry=3), "pool.retry is 3; allowed: a Retry"),
    (lambda: Retry(retry_on="reset"), 'pool.retry.retry_on is "reset"; allowed: a'),
    (lambda: Retry(retry_on=["oops"]), "pool.retry.retry_on is ['oops']; allowed"),
    (lambda: Retry(methods=["G T"]), "pool.retry.methods is ['G T']; allowed: \"any\""),
    (lambda: Link(delay=INF), "link.delay is inf; allowed: 0 to 1e+09 seconds"),
    (lambda: Link(delay=2e9), "link.delay is 2000000000.0; allowed: 0 to"),
    (lambda: Hop(name="a\nb"), 'hop.name is "a b"; allowed: one line'),
    (lambda: Hop(link=Server()), "hop.link is Server(); allowed: a Link"),
    (lambda: Origin(script="sing"), 'origin.script is "sing"; allowed: "garbage"'),
    (lambda: Origin(fails_after_execute=1.1), "origin.fails_after_execute is 1.1"),
    (lambda: Traffic(arrivals="gaps"), "traffic.gaps is []; allowed: at least one gap"),
    (
        lambda: Traffic(gaps=[1, -1]),
        "traffic.gaps is [1, -1], entry 1 is -1; allowed: a list of gaps",
    ),
    (
        lambda: Traffic(gaps=[1.0, math.nan, 2.0]),
        "traffic.gaps is [1.0, nan, 2.0], entry 1 is nan; allowed: a list of gaps, ",
    ),
    (lambda: Traffic(gaps=["1s"]), "traffic.gaps is ['1s']; allowed: a list of gaps"),
    (lambda: Traffic(requests=0), "traffic.requests is 0; allowed: a whole number"),
    (lambda: Traffic(requests=INF), "traffic.requests is inf; allowed: a whole number"),
    (lambda: Traffic(burst=0), "traffic.burst is 0; allowed: a whole number from 1"),
    (lambda: Traffic(rate=0), "traffic.rate is 0; allowed: more than 0"),
    (lambda: Traffic(http_version="2"), 'traffic.http_version is "2"; allowed: "1.1"'),
    (lambda: Traffic(methods={}), "traffic.methods is {}; allowed: a table"),
    (lambda: Traffic(methods={"GET": 0}), "traffic.methods is {'GET': 0}; allowed"),
    (lambda: Traffic(methods={"": 1}), "traffic.methods is {'': 1}; allowed"),
    (lambda: Traffic(headers={"a": "b\r\nc: d"}), "traffic.headers is {'a': 'b"),
    (lambda: Traffic(headers={"a": " b"}), "traffic.headers is {'a': ' b'}; allowed"),
    (lambda: Traffic(headers={"a:": "b"}), "traffic.headers is {'a:': 'b'}; allowed"),
    (lambda: Traffic(headers={"Content-Length": "9"}), "traffic.headers is {'Content-"),
    (lambda: Scenario(hops=()), "hops has 0 entries; allowed: a list of 1 to 100 Hops"),
    (lambda: Scenario(hops=3), "hops is 3; allowed: a list of 1 to 100 Hops"),
    (lambda: Scenario(hops=[3]), "hops.0 is 3; allowed: a Hop"),
    (lambda: Scenario(traffic=None), "traffic is None; allowed: a Traffic"),
    (lambda: Scenario(seed=1.5), "seed is 1.5; allowed: a whole number"),
    (lambda: Scenario(seed=10**5000), "seed is a number of thousands of digits;"),
    (lambda: Scenario(name="\ud800"), 'name is "?"; allowed: one line'),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "told"), WRONG, ids=[told for _, told in WRONG])
def test_a_wrong_value_is_told_with_its_name_and_what_is_allowed(
    wrong: Any, told: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        wrong()
    assert str(caught.value).startswith(told)


def test_two_programs_of_a_chain_cannot_share_a_name() -> None:
    with pytest.raises(SettingsError, match=r'^hop\.0\.name is "proxy"; allowed'):
        Scenario(hops=(Hop(name="proxy"), Hop()))


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            Event(path="hop.7.link.delay", value=1),
            "lab.schedule.0.path: hop.7 does not",
        ),
        (
            Event(path="hop.0.link.dely", value=1),
            "lab.schedule.0.path: hop.0.link.dely",
        ),
        (Event(path="hop.0.link.delay", value=-1), "lab.schedule.0.value is -1; allow"),
        (Event(path="hop.0.link.delay"), "lab.schedule.0.value is None; allowed: 0"),
        (Event(path="hop.0.link", value=1), "lab.schedule.0.path: hop.0.link is a"),
        (Event(action="drain", path="hop"), 'lab.schedule.0.path is "hop"; allowed'),
    ],
)
def test_an_event_that_cannot_happen_is_refused_before_the_run(
    event: Event, told: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Scenario(lab=LabSettings(schedule=[event]))
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize("action", ["deploy", "drain"])
def test_a_deploy_and_a_drain_happen_to_a_hop(action: str) -> None:
    event = Event(at=3, action=action, path="hop.0")
    assert Scenario(lab=LabSettings(schedule=[event])).get("lab.schedule.0") == event


# -- values as values --------------------------------------------------------------


@given(scenarios)
def test_equal_settings_are_one_key_of_a_dictionary(scenario: Scenario) -> None:
    twin = pickle.loads(pickle.dumps(scenario))
    assert {scenario: 1}[twin] == 1
    assert copy.deepcopy(scenario) == scenario
    assert twin.to_toml() == scenario.to_toml()


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CHAIN.seed = 3  # type: ignore[misc]
    with pytest.raises(TypeError, match="frozen"):
        CHAIN.traffic.methods["POST"] = 1.0


def test_a_scenario_introduces_itself_by_what_differs() -> None:
    hop = Hop(name="alb", server=Server(idle_timeout=5))
    told = "Scenario(seed=7, hops=(Hop(name='alb', server=Server(idle_timeout=5.0)),))"
    assert repr(Scenario(seed=7, hops=(hop,))) == told


def test_numbers_of_numpy_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    turned = CHAIN.replace("hop.0.link.delay", numpy.float32(0.5))
    assert turned.replace("traffic.requests", numpy.int64(5)).traffic.requests == 5
    assert type(turned.hops[0].link.delay) is float


@given(scenarios, st.data())
def test_a_knob_that_is_turned_back_leaves_no_trace(
    scenario: Scenario, data: Any
) -> None:
    asked = [each for each in knobs() if each.kind.unit == "s" and each.kind.is_number]
    path = data.draw(st.sampled_from(asked)).path
    turned = scenario.replace(path, 123.5)
    assert turned.get(path) == 123.5
    assert turned.replace(path, scenario.get(path)) == scenario


def test_settings_that_only_fit_together_are_turned_at_once() -> None:
    both = {"traffic.arrivals": "gaps", "traffic.gaps": [1.0, 2.0]}
    for changes in (both, dict(reversed(both.items()))):
        assert Scenario().replace_all(changes).traffic.gaps == (1.0, 2.0)
    assert CHAIN.replace_all({}) == CHAIN
    with pytest.raises(SettingsError, match=r"traffic\.gaps is"):
        Scenario().replace("traffic.arrivals", "gaps")
    with pytest.raises(SettingsError, match=r"hop\.9 does not exist"):
        CHAIN.replace_all({"hop.0.link.delay": 1.0, "hop.9.link.delay": 1.0})


def test_a_number_is_turned_quickly_to_the_same_scenario() -> None:
    for path, value in (
        ("hop.1.server.idle_timeout", 4.0),
        ("hops.0.link.delay", 0.25),
        ("hop.1.pool.retry.num_retries", 3),
        ("traffic.rate", 9.0),
        ("seed", 12),
    ):
        assert turned(CHAIN, path, value) == CHAIN.replace(path, value)
    with pytest.raises(SettingsError, match="idle_timeout"):
        turned(CHAIN, "hop.1.server.idle_timeout", -1.0)


def nested(depth: int) -> object:
    value: object = 1.0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({"hop": [{"server": {"idle_timeout": nested(5000)}}]}, "idle_timeout"),
        ({"traffic": {"gaps": nested(5000)}}, "traffic.gaps"),
        ({"traffic": {"methods": nested(5000)}}, "traffic.methods"),
        ({"lab": {"schedule": [{"value": nested(5000)}]}}, "lab.schedule.0.value"),
        ({"lab": {"schedule": [{"value": nested(31)}]}}, "lab.schedule.0.value"),
    ],
)
def test_a_value_nested_by_thousands_is_one_sentence(
    table: dict[str, object], field: str
) -> None:
    with pytest.raises(SettingsError, match=rf"{field} is .*; allowed: "):
        Scenario.from_dict(table)

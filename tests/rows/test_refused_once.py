"""A request that a server refuses is one request, in the record and in the sums."""

from typing import Any

import pytest

from labkit import Hop, Scenario, run, sweep

REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "an old version": ({"traffic.http_version": "1.0"}, 426),
    "a method of nobody's": ({"traffic.methods": {"FOO": 1.0}}, 400),
    "a large head": ({"traffic.headers": {"x-padding": "x" * 70_000}}, 431),
    "many fields": (
        {"traffic.headers": {f"x-field-{n}": "x" for n in range(150)}},
        431,
    ),
}


def refusing(changes: dict[str, Any], hops: int) -> Scenario:
    return Scenario(hops=(Hop(),) * hops).replace_all(
        changes
        | {"traffic.requests": 3, "hop.0.server.personality": "envoy"}
        | {"traffic.rate": 50.0}
    )


@pytest.mark.parametrize("hops", [1, 2])
@pytest.mark.parametrize("what", REFUSED)
def test_a_refused_request_is_counted_once(what: str, hops: int) -> None:
    changes, status = REFUSED[what]
    done = run(refusing(changes, hops), progress=False)
    assert done.requests == len(done.exchanges) == 3
    assert done.statuses == {status: 3} and done.flags == {"DPE": 3}


@pytest.mark.live
@pytest.mark.parametrize("what", ["an old version", "a large head"])
def test_and_so_it_is_on_real_sockets(what: str) -> None:
    changes, status = REFUSED[what]
    done = run(refusing(changes, 1), engine="live", progress=False)
    assert done.requests == 3 and done.statuses == {status: 3}


def test_a_point_of_a_sweep_has_the_requests_that_were_asked_for() -> None:
    scenario = refusing(REFUSED["an old version"][0], 1)
    table = sweep(scenario, {"traffic.rate": [10.0, 20.0]})
    assert [row["requests"] for row in table] == [3, 3]


@pytest.mark.parametrize("label", ["²", "9" * 5000, "-1", "abc", ""])
def test_a_label_that_is_no_number_of_ours_is_no_error(label: str) -> None:
    scenario = Scenario(hops=(Hop(), Hop())).replace_all(
        {"traffic.requests": 2, "traffic.headers": {"x-labkit-request": label}}
    )
    done = run(scenario, progress=False)
    assert set(done.statuses) <= {200, 400}

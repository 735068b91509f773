"""The numbers of a scenario as the model computes with them, for many points at once.

A knob that has one value everywhere is a float; one that varies over the points of
a grid is an array with one value per row of the computation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.settings import Retry, Scenario, SettingsError, knob_at
from labkit.settings.personalities import ENDS_UNUSED, FAILURES, HABITS, Habit
from labkit.settings.validators import checked

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.intp]
Bools = NDArray[np.bool_]
Value = float | Floats

# The knobs that may vary over a grid, by the names that the model gives them.
_TRAFFIC = {"rate": "rate", "jitter": "jitter"}
_ORIGIN = {
    "service_time": "service",
    "service_jitter": "service_jitter",
    "fails_after_execute": "fails",
}
_HOP = {
    "pool.idle_timeout": "patience",
    "pool.max_connection_duration": "pool_life",
    "pool.max_requests_per_connection": "pool_requests",
    "link.delay": "delay",
    "server.idle_timeout": "idle",
    "server.drain_timeout": "drain",
    "server.delayed_close_timeout": "deaf",
    "server.max_connection_duration": "life",
    "server.max_requests_per_connection": "requests",
    "server.tick": "tick",
    "pool.tick": "pool_tick",
}
# What has another meaning than one value per point.
_WHOLE = frozenset({"gaps", "weights"})


@dataclass(slots=True)
class HopValues:
    """One hop. The first eleven may vary over the points of a grid."""

    patience: Value
    pool_life: Value
    pool_requests: Value
    delay: Value
    idle: Value
    drain: Value
    deaf: Value
    life: Value
    requests: Value
    tick: Value
    pool_tick: Value
    workers: int
    max_connections: float
    max_pending: float
    timeout: float
    try_timeout: float
    lifo: bool
    watch_fin: bool
    honours_hint: bool
    hint_margin: float
    hints: bool
    announces: bool
    safe_life: bool
    resets: bool
    closes_unused: bool
    first_within: float
    has_bursts: bool
    retry: Retry
    failure: str
    usual_failure: str
    habit: Habit | None

    @property
    def repeats_by_habit(self) -> bool:
        """Does the pool's owner repeat lost requests where no policy is written?"""
        habit = self.habit
        return habit is not None and habit.repeats_lost and self.retry.is_unwritten

    @property
    def is_silent_if_lost(self) -> bool:
        """Does the pool's owner answer a lost request with silence?"""
        is_usual = self.failure == self.usual_failure
        return self.habit is not None and is_usual and self.habit.silent_if_lost


@dataclass(slots=True)
class Values:
    """A scenario's numbers; ``rate`` to ``fails`` may vary over a grid's points."""

    rate: Value
    jitter: Value
    service: Value
    service_jitter: Value
    fails: Value
    keys: bool
    arrivals: str
    gaps: Floats
    burst: int
    methods: tuple[str, ...]
    weights: Floats
    body_bytes: int
    seed: int
    hops: tuple[HopValues, ...]

    def of_rows(self, rows: Rows) -> Values:
        """The same with one value per row, where ``rows`` are numbers of points."""
        return self.shaped(rows)

    def shaped(self, index: Any) -> Values:
        """The same with every column indexed so."""
        hops = tuple(_taken(hop, index) for hop in self.hops)
        taken: Values = _taken(self, index)
        taken.hops = hops
        return taken


def values_of(scenario: Scenario, varied: Mapping[str, Floats] | None = None) -> Values:
    """The numbers of a scenario; ``varied`` gives some knobs one value per point.

    SettingsError for a path that cannot vary, and for a value that it cannot have.
    """
    traffic, origin = scenario.traffic, scenario.origin
    values = Values(
        **{ours: float(getattr(traffic, name)) for name, ours in _TRAFFIC.items()},
        **{ours: float(getattr(origin, name)) for name, ours in _ORIGIN.items()},
        keys=origin.idempotency_keys,
        arrivals=traffic.arrivals,
        gaps=np.asarray(traffic.gaps, dtype=np.float64),
        burst=traffic.burst,
        methods=tuple(traffic.methods),
        weights=np.asarray(list(traffic.methods.values()), dtype=np.float64),
        body_bytes=traffic.body_bytes,
        seed=scenario.seed,
        hops=tuple(_hop(scenario, index) for index in range(len(scenario.hops))),
    )
    for path, column in (varied or {}).items():
        owner, name = _place(values, path)
        kind = knob_at(path).kind
        for value in sorted(set(column.tolist())):
            checked(path, kind, value)
        setattr(owner, name, np.asarray(column, dtype=np.float64))
    return values


def can_vary(path: str) -> bool:
    """May this knob stand at different values in one grid?"""
    head, _, rest = path.partition(".")
    known = {"traffic": _TRAFFIC, "origin": _ORIGIN}.get(head)
    return rest in known if known else rest.partition(".")[2] in _HOP


def _place(values: Values, path: str) -> tuple[Any, str]:
    """Whose attribute of what name the knob at this path is."""
    knob_at(path)
    if not can_vary(path):
        allowed = ", ".join(["traffic.rate", "hop.N.pool.idle_timeout", "and the like"])
        raise SettingsError(f"{path} cannot vary in a grid of the model; try {allowed}")
    head, _, rest = path.partition(".")
    if head != "hop":
        return values, {"traffic": _TRAFFIC, "origin": _ORIGIN}[head][rest]
    number, _, name = rest.partition(".")
    if int(number) >= len(values.hops):
        raise SettingsError(f"{path}: this chain has {len(values.hops)} hops")
    return values.hops[int(number)], _HOP[name]


def _hop(scenario: Scenario, index: int) -> HopValues:
    hop = scenario.hops[index]
    pool, server = hop.pool, hop.server
    varying = {
        ours: float(getattr(getattr(hop, name.split(".")[0]), name.split(".")[1]))
        for name, ours in _HOP.items()
    }
    is_last = index + 1 == len(scenario.hops)
    owner = scenario.hops[index - 1].server.personality if index else None
    return HopValues(
        **varying,
        workers=pool.workers,
        max_connections=pool.max_connections,
        max_pending=pool.max_pending_requests,
        timeout=pool.timeout,
        try_timeout=pool.per_try_timeout,
        lifo=pool.reuse == "lifo",
        watch_fin=pool.watch_fin,
        honours_hint=pool.honours_hint,
        hint_margin=pool.hint_margin,
        # What plays Envoy as a proxy writes its answers itself, without a hint.
        hints=server.hint and (is_last or server.personality != "envoy"),
        announces=server.announce,
        safe_life=server.http1_safe_max_connection_duration,
        resets=server.farewell == "rst",
        closes_unused=server.personality in ENDS_UNUSED,
        first_within=server.request_headers_timeout,
        has_bursts=scenario.traffic.burst > 1,
        retry=pool.retry,
        failure=pool.failure,
        usual_failure=FAILURES[owner] if owner else "none",
        habit=HABITS.get(owner) if owner else None,
    )


def spread(hop: HopValues) -> HopValues:
    """The same with one value for each worker of a row, where there are several."""
    if hop.workers == 1:
        return hop
    varied: dict[str, Any] = {
        name: np.repeat(value, hop.workers)
        for name in HopValues.__slots__
        if isinstance(value := getattr(hop, name), np.ndarray)
    }
    return replace(hop, **varied)


def _taken(group: Any, index: Any) -> Any:
    """A copy with its columns indexed; by hand, as this happens all the time."""
    kind: Any = type(group)
    taken = kind.__new__(kind)
    for name in kind.__slots__:
        value = getattr(group, name)
        if type(value) is np.ndarray and name not in _WHOLE:
            value = value[index]
        setattr(taken, name, value)
    return taken


def at(value: Value, rows: Rows) -> Value:
    """The value of a knob for some of the rows."""
    return value[rows] if isinstance(value, np.ndarray) else value

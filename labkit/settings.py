"""Every knob of the lab: a scenario is a list of hops, and each hop is a pool, a
link and a server.

Seconds everywhere, as floats, ``inf`` for no limit. Every value is checked when
it is set; a wrong one raises :class:`SettingsError`, which names the field, the
value and what is allowed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.kinds import (
    MOST_COUNTED,
    SettingsError,
    any_or_several,
    choice,
    count,
    flag,
    header_fields,
    maybe,
    number,
    plain_value,
    refusal,
    seconds,
    several,
    text,
    token,
    weights,
    whole,
)
from labkit.knobs import (
    Knob,
    Section,
    knob,
    memory,
    part,
    parts,
    settings_group,
    shy,
)
from labkit.personalities import FAILURES, PERSONALITIES, SERVER_DEFAULTS

__all__ = [
    "Event",
    "Hop",
    "LabSettings",
    "Link",
    "Origin",
    "Pool",
    "Retry",
    "Scenario",
    "Server",
    "SettingsError",
    "Traffic",
    "knob_at",
    "knobs",
]

inf = math.inf

# Envoy's words for retry_on. Those of gRPC and HTTP/3, and lists that are not
# configured, are accepted because configurations hold them: they cover nothing
# here, and nothing of the race in Envoy (measured on 1.40).
RETRY_WORDS = (
    *("5xx", "gateway-error", "reset", "reset-before-request", "connect-failure"),
    *("refused-stream", "retriable-4xx", "retriable-status-codes"),
    *("retriable-headers", "envoy-ratelimited", "http3-post-connect-failure"),
    *("cancelled", "deadline-exceeded", "internal", "resource-exhausted"),
    "unavailable",
)
SCRIPTS = (
    *("garbage", "half-head", "truncated", "continue-then-drop", "reset"),
    *("execute-then-reset", "hang", "huge-head", "early-answer", "half-close"),
    *("refuse", "unreachable"),
)
ACTIONS = ("set", "deploy", "drain")


@settings_group
class Traffic(Section):
    """Who sends how much, and when. The first request is sent at t = 0."""

    where = "traffic"
    arrivals: str = knob(
        "poisson", choice("poisson", "periodic", "gaps"), "when requests are sent"
    )
    rate: float = knob(
        1.0, number(0, 1e6, above=True, unit="1/s"), "arrivals a second, on average"
    )
    requests: int = knob(
        100, count(1, MOST_COUNTED), "how many in all; above 10000000 only counted"
    )
    gaps: tuple[float, ...] = knob(
        (), several(seconds(endless=False), "gaps"), "from an outcome to the next"
    )
    jitter: float = knob(0.0, seconds(endless=False), "lateness of periodic arrivals")
    methods: dict[str, float] = knob(
        {"GET": 1.0}, weights(), "which methods, how often"
    )
    headers: dict[str, str] = knob({}, header_fields(), "sent with every request")
    http_version: str = knob("1.1", choice("1.1", "1.0"), "of the requests")
    body_bytes: int = knob(0, count(0, 10**9), "size of POST, PUT and PATCH bodies")
    burst: int = knob(1, count(1, 100_000), "requests sent at each arrival")

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if self.arrivals == "gaps" and not self.gaps:
            wanted = 'at least one gap where traffic.arrivals is "gaps"'
            raise refusal("traffic.gaps", [], wanted)


@settings_group
class Retry(Section):
    """When a pool's owner repeats a request.

    Where ``retry_on`` is not written, the habits of the owner's personality stand;
    written as empty it forbids them.
    """

    where = "pool.retry"
    retry_on: tuple[str, ...] = shy(
        (), several(choice(*RETRY_WORDS), "Envoy's words"), "which failures"
    )
    num_retries: int = knob(1, count(0, 1000), "further tries per request")
    methods: str | tuple[str, ...] = knob(
        "any", any_or_several(token(), "HTTP methods"), "which may be sent twice"
    )
    base_interval: float = knob(0.025, seconds(endless=False), "first back-off")
    max_interval: float = knob(0.25, seconds(endless=False), "longest back-off")
    max_retries: int = knob(3, count(0, 1_000_000), "at the same time")
    buffer_limit: int = knob(1_048_576, count(0, 10**9), "bytes of body kept for it")
    written: frozenset[str] = memory()

    @property
    def is_unwritten(self) -> bool:
        """Does nothing say which failures, so that habits stand?"""
        return "retry_on" not in self.written

    def _values(self) -> tuple[Any, ...]:
        """With what was written: "none" and "as you like" are not the same."""
        return (*Section._values(self), self.written)


@settings_group
class Pool(Section):
    """The client end of a hop. ``failure`` follows the pool's owner if not written."""

    where = "pool"
    idle_timeout: float = knob(inf, seconds(), "counted from a response received")
    max_connection_duration: float = knob(inf, seconds(), "never cuts a request")
    max_requests_per_connection: float = knob(
        inf, count(1, endless=True), "then the pool closes it"
    )
    max_connections: float = knob(1024, count(1, endless=True), "at the same time")
    max_pending_requests: float = knob(1024, count(0, endless=True), "in the queue")
    connect_timeout: float = knob(5.0, seconds(above_zero=True), "for the handshake")
    timeout: float = knob(15.0, seconds(above_zero=True), "for all tries of a request")
    per_try_timeout: float = knob(inf, seconds(above_zero=True), "for one try")
    reuse: str = knob("lifo", choice("lifo", "fifo"), "which idle connection first")
    watch_fin: bool = knob(True, flag(), "false: never looks at an idle socket")
    reuse_delay: int = knob(1, count(0, 1000), "delivery passes it rests before reuse")
    honours_hint: bool = knob(False, flag(), "obeys Keep-Alive: timeout=N")
    failure: str = shy(
        "503", choice("503", "502", "silent", "none"), "told when the hop fails"
    )
    retry: Retry = part(Retry)
    written: frozenset[str] = memory()


@settings_group
class Link(Section):
    """The wire between the two ends of a hop."""

    where = "link"
    delay: float = knob(0.0, seconds(endless=False), "one way")
    jitter: float = knob(0.0, seconds(endless=False), "up to so much more, by chance")
    forget_after: float = knob(inf, seconds(), "a middlebox drops idle flows silently")


@settings_group
class Server(Section):
    """The server end of a hop. What is not written follows the personality."""

    where = "server"
    personality: str = knob("plain", choice(*PERSONALITIES), "whose defaults")
    idle_timeout: float = shy(inf, seconds(), "counted from a response sent")
    drain_timeout: float = shy(0.0, seconds(endless=False), "then served with close")
    delayed_close_timeout: float = shy(0.0, seconds(endless=False), "then deaf")
    max_connection_duration: float = shy(inf, seconds(), "then it says goodbye")
    http1_safe_max_connection_duration: bool = shy(
        False, flag(), "waits for a request to say it with"
    )
    max_requests_per_connection: float = shy(
        inf, count(1, endless=True), "then the server closes it"
    )
    request_headers_timeout: float = shy(inf, seconds(above_zero=True), "else 408")
    stream_idle_timeout: float = shy(inf, seconds(above_zero=True), "of a request")
    announce: bool = shy(False, flag(), "Connection: close on the last response")
    hint: bool = shy(False, flag(), "Keep-Alive: timeout=N on every response")
    farewell: str = shy("fin", choice("fin", "rst", "408"), "how idleness ends")
    tick: float = shy(0.0, seconds(endless=False), "granularity of the idle timer")
    accept_http_10: bool = shy(True, flag(), "false: HTTP/1.0 gets a 426")
    written: frozenset[str] = memory()

    def unwritten_default(self, name: str, plain: Any) -> Any:
        """What this personality does when nothing is configured."""
        # The personality is the first field: it has been checked by now.
        return SERVER_DEFAULTS[self.personality].get(name, plain)


@settings_group
class Hop(Section):
    """One hop: ``name`` is the program at its client end."""

    where = "hop"
    name: str = knob("", text(40), "of the program at the client end")
    pool: Pool = part(Pool)
    link: Link = part(Link)
    server: Server = part(Server)


@settings_group
class Origin(Section):
    """The application at the end of the chain."""

    where = "origin"
    service_time: float = knob(0.0, seconds(endless=False), "to make a response")
    service_jitter: float = knob(0.0, seconds(endless=False), "up to so much more")
    fails_after_execute: float = knob(
        0.0, number(0, 1), "share executed and never answered"
    )
    idempotency_keys: bool = knob(False, flag(), "a known key executes nothing")
    fin_after: float | None = knob(
        None, maybe(seconds(endless=False)), "from a response to an unannounced close"
    )
    script: str | None = knob(None, maybe(choice(*SCRIPTS)), "a named misbehaviour")


@settings_group
class Event(Section):
    """Something that happens to the running chain at a given second.

    "set" turns the knob ``path`` to ``value``; "deploy" and "drain" happen to the
    server of a hop, ``path`` is then such as "hop.1". "drain": its responses say
    ``Connection: close``, all of them ("immediate"), ever more over ``value`` seconds,
    or none, and it stops listening ("listeners"). "deploy": it stops listening and
    drains, and ``value`` seconds (1) later another one takes its place.
    """

    where = "lab.schedule"
    at: float = knob(0.0, seconds(endless=False), "when")
    action: str = knob("set", choice(*ACTIONS), "what")
    path: str = knob("", text(100), "which knob, or which hop")
    value: Any = knob(None, plain_value(), "of the knob from then on")


@settings_group
class LabSettings(Section):
    """What concerns the run and not the programs in it."""

    where = "lab"
    schedule: tuple[Event, ...] = parts(Event, "schedule", 0, 10_000)
    horizon: float = knob(
        1e12, number(0, 1e15, above=True, unit="s"), "a run that passes it is an error"
    )


@settings_group
class Scenario(Section):
    """A whole experiment: traffic, hops from the traffic to the origin, origin."""

    where = ""
    name: str = knob("", text(100), "for people")
    seed: int = knob(0, whole(), "of all chance")
    traffic: Traffic = part(Traffic)
    hops: tuple[Hop, ...] = parts(Hop, "hop", 1, 100)
    origin: Origin = part(Origin)
    lab: LabSettings = part(LabSettings)

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        object.__setattr__(self, "hops", tuple(_placed(self.hops)))
        _check_names(self)
        if self.lab.schedule:
            from labkit import paths

            paths.check_schedule(self)

    @property
    def parties(self) -> tuple[str, ...]:
        """The programs along the chain, one more than hops; the last is "upstream"."""
        return (*(h.name or _party(i) for i, h in enumerate(self.hops)), "upstream")

    def get(self, path: str) -> Any:
        """The value at a dotted path; SettingsError if there is no such knob."""
        from labkit import paths

        return paths.get(self, path)

    def replace(self, path: str, value: object) -> Scenario:
        """A copy with one knob turned; None makes it unwritten again.

        What was never written is derived anew, e.g. from a new personality.
        """
        return self.replace_all({path: value})

    def replace_all(self, changes: Mapping[str, object]) -> Scenario:
        """A copy with several knobs turned at once, in no order."""
        from labkit import paths

        return paths.replace(self, changes)

    @classmethod
    def from_toml(cls, source: Path | str) -> Scenario:
        """Read a file, or a text: a string without a newline is a path."""
        from labkit import notation

        return notation.from_toml(source)

    def to_toml(self) -> str:
        """The scenario as TOML: what was written or differs from the defaults."""
        from labkit import notation

        return notation.to_toml(self)

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> Scenario:
        """The scenario of a parsed TOML table."""
        from labkit import notation

        return notation.from_dict(table)

    def to_dict(self) -> dict[str, Any]:
        """The table that :meth:`to_toml` writes."""
        from labkit import notation

        return notation.to_dict(self)

    def token(self) -> str:
        """A short text to hand this setting to a colleague."""
        from labkit import tokens

        return tokens.token(self)

    @classmethod
    def from_token(cls, text: str) -> Scenario:
        """The scenario of a token; SettingsError if it is damaged."""
        from labkit import tokens

        return tokens.from_token(text)


def _party(index: int) -> str:
    if index == 0:
        return "client"
    return "proxy" if index == 1 else f"proxy {index}"


def _check_names(scenario: Scenario) -> None:
    """No two programs share a name: URLs and lifelines go by it."""
    parties = scenario.parties
    for index, hop in enumerate(scenario.hops):
        if hop.name and parties.count(hop.name) > 1:
            allowed = "a name that no other program of the chain has"
            raise refusal(f"hop.{index}.name", hop.name, allowed)


def _placed(hops: tuple[Hop, ...]) -> list[Hop]:
    """Give every pool the failure of its owner, unless one was written."""
    placed = []
    for index, hop in enumerate(hops):
        owner = hops[index - 1].server.personality if index else None
        failure = FAILURES[owner] if owner else "none"
        if "failure" not in hop.pool.written and failure != hop.pool.failure:
            hop = _but(hop, "pool", _but(hop.pool, "failure", failure))
        placed.append(hop)
    return placed


def _but(section: Any, name: str, value: Any) -> Any:
    """A copy with another derived value, which does not count as written."""
    other = copy.copy(section)
    object.__setattr__(other, name, value)
    return other


def knobs(hops: int = 1) -> list[Knob]:
    """Every knob of a scenario with so many hops, by its dotted path."""
    from labkit import paths

    return paths.knobs(hops)


def knob_at(path: str) -> Knob:
    """What is known of one knob; SettingsError if there is none."""
    from labkit import paths

    return paths.knob_at(path)

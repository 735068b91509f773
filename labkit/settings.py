"""Every knob of the lab: a scenario is a list of hops, and each hop is a pool, a
link and a server.

Seconds everywhere, as floats, ``inf`` for no limit. Every value is checked when
it is set; a wrong one raises :class:`SettingsError`, which names the field, the
value and what is allowed.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.knobs import (
    Knob,
    Section,
    SettingsError,
    checked,
    choice,
    count,
    flag,
    header_fields,
    knob,
    maybe,
    number,
    seconds,
    several,
    shy,
    text,
    weights,
    whole,
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

RETRY_WORDS = (
    *("5xx", "gateway-error", "reset", "reset-before-request"),
    *("connect-failure", "refused-stream", "retriable-4xx"),
)
SCRIPTS = (
    *("garbage", "half-head", "truncated", "continue-then-drop", "reset"),
    *("execute-then-reset", "hang", "huge-head", "early-answer", "half-close"),
    *("refuse", "unreachable"),
)
ACTIONS = ("set", "deploy", "drain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic(Section):
    """Who sends how much, and when. The first request is sent at t = 0."""

    where = "traffic"
    arrivals: str = knob("poisson", choice("poisson", "periodic", "gaps"), "the law")
    rate: float = knob(1.0, number(0, 1e6, above=True, unit="1/s"), "requests a second")
    requests: int = knob(100, count(1), "how many in all")
    gaps: tuple[float, ...] = knob(
        (), several(seconds(endless=False), "gaps"), "from an outcome to the next"
    )
    jitter: float = knob(0.0, seconds(endless=False), "of periodic arrivals")
    methods: dict[str, float] = field(
        default_factory=lambda: {"GET": 1.0},
        metadata={"kind": weights(), "doc": "how often which method"},
    )
    headers: dict[str, str] = field(
        default_factory=dict,
        metadata={"kind": header_fields(), "doc": "sent with every request"},
    )
    http_version: str = knob("1.1", choice("1.1", "1.0"), "of the requests")
    body_bytes: int = knob(0, count(0, 10**9), "size of POST, PUT and PATCH bodies")
    burst: int = knob(1, count(1, 100_000), "requests sent at each arrival")

    def __post_init__(self) -> None:
        self._check()
        if self.arrivals == "gaps" and not self.gaps:
            raise SettingsError(
                'traffic.gaps is (); allowed with arrivals = "gaps": at least one gap'
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry(Section):
    """When a pool's owner repeats a request."""

    where = "pool.retry"
    retry_on: tuple[str, ...] = knob(
        (), several(choice(*RETRY_WORDS), "Envoy's words"), "which failures"
    )
    num_retries: int = knob(1, count(0, 1000), "further tries per request")
    methods: str | tuple[str, ...] = field(
        default="any",
        metadata={"kind": None, "doc": '"any", or a list of methods'},
    )
    base_interval: float = knob(0.025, seconds(endless=False), "back-off, first")
    max_interval: float = knob(0.25, seconds(endless=False), "back-off, at most")
    max_retries: int = knob(3, count(0, 1_000_000), "at the same time")
    buffer_limit: int = knob(1_048_576, count(0, 10**9), "bytes of body kept")

    def __post_init__(self) -> None:
        self._check()
        if self.methods != "any":
            kind = several(text(30), "HTTP methods")
            methods = checked("pool.retry.methods", kind, self.methods)
            object.__setattr__(self, "methods", methods)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool(Section):
    """The client end of a hop."""

    where = "pool"
    idle_timeout: float = knob(inf, seconds(), "counted from a response received")
    max_connection_duration: float = knob(inf, seconds(), "never cuts a request")
    max_requests_per_connection: float = knob(
        inf, count(1, endless=True), "then it closes"
    )
    max_connections: float = knob(1024, count(1, endless=True), "at the same time")
    max_pending_requests: float = knob(1024, count(0, endless=True), "in the queue")
    connect_timeout: float = knob(5.0, seconds(), "for the handshake")
    timeout: float = knob(15.0, seconds(), "for all tries of a request")
    per_try_timeout: float = knob(inf, seconds(), "for one try")
    reuse: str = knob("lifo", choice("lifo", "fifo"), "which idle connection first")
    watch_fin: bool = knob(True, flag(), "false: never looks at an idle socket")
    reuse_delay: int = knob(1, count(0, 1000), "delivery passes before reuse")
    honours_hint: bool = knob(False, flag(), "obeys Keep-Alive: timeout=N")
    failure: str = shy(
        "503", choice("503", "502", "silent", "none"), "told when the hop fails"
    )
    retry: Retry = field(default_factory=Retry)
    written: frozenset[str] = field(
        default=frozenset(), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        self._check()
        if not isinstance(self.retry, Retry):
            raise SettingsError(f"pool.retry is {self.retry!r}; allowed: a Retry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Section):
    """The wire between the two ends of a hop."""

    where = "link"
    delay: float = knob(0.0, seconds(endless=False), "one way")
    jitter: float = knob(0.0, seconds(endless=False), "up to so much more, by chance")
    forget_after: float = knob(inf, seconds(), "a middlebox drops idle flows silently")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server(Section):
    """The server end of a hop. What is not written follows the personality."""

    where = "server"
    personality: str = knob("plain", choice(*PERSONALITIES), "whose defaults")
    idle_timeout: float = shy(inf, seconds(), "counted from a response sent")
    drain_timeout: float = shy(0.0, seconds(endless=False), "served with close")
    delayed_close_timeout: float = shy(0.0, seconds(endless=False), "then deaf")
    max_connection_duration: float = shy(inf, seconds(), "then it says goodbye")
    http1_safe_max_connection_duration: bool = shy(
        False, flag(), "waits for a request to say it with"
    )
    max_requests_per_connection: float = shy(
        inf, count(1, endless=True), "then it closes"
    )
    request_headers_timeout: float = shy(inf, seconds(above_zero=True), "else 408")
    stream_idle_timeout: float = shy(inf, seconds(above_zero=True), "of a request")
    announce: bool = shy(False, flag(), "Connection: close on the last response")
    hint: bool = shy(False, flag(), "Keep-Alive: timeout=N on every response")
    farewell: str = shy("fin", choice("fin", "rst", "408"), "how idleness ends")
    tick: float = shy(0.0, seconds(endless=False), "granularity of the idle timer")
    accept_http_10: bool = shy(True, flag(), "false: HTTP/1.0 gets a 426")
    written: frozenset[str] = field(
        default=frozenset(), init=False, repr=False, compare=False
    )

    def unwritten_default(self, name: str, default: Any) -> Any:
        """What this personality does when nothing is configured."""
        return SERVER_DEFAULTS.get(self.personality, {}).get(name, default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop(Section):
    """One hop: ``name`` is the program at its client end."""

    where = "hop"
    name: str = knob("", text(40), "of the program at the client end")
    pool: Pool = field(default_factory=Pool)
    link: Link = field(default_factory=Link)
    server: Server = field(default_factory=Server)

    def __post_init__(self) -> None:
        self._check()
        for name, kind in (("pool", Pool), ("link", Link), ("server", Server)):
            if not isinstance(getattr(self, name), kind):
                raise SettingsError(
                    f"hop.{name} is {getattr(self, name)!r}; allowed: a {kind.__name__}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
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
    script: str | None = knob(
        None, choice(*SCRIPTS, or_none=True), "a named misbehaviour"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Section):
    """Something that happens to the running chain at a given second."""

    where = "lab.schedule"
    at: float = knob(0.0, seconds(endless=False), "when")
    action: str = knob("set", choice(*ACTIONS), "what")
    path: str = knob("", text(100), "which knob, or which hop")
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabSettings(Section):
    """What concerns the run and not the programs in it."""

    where = "lab"
    schedule: tuple[Event, ...] = ()
    horizon: float = knob(
        1e12, number(0, 1e15, above=True, unit="s"), "a run that passes it is an error"
    )

    def __post_init__(self) -> None:
        self._check()
        events = tuple(self.schedule)
        if not all(isinstance(event, Event) for event in events):
            raise SettingsError("lab.schedule holds something that is not an Event")
        object.__setattr__(self, "schedule", events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(Section):
    """A whole experiment: traffic, hops from the traffic to the origin, origin."""

    where = ""
    name: str = knob("", text(100), "for people")
    seed: int = knob(0, whole(), "of all chance")
    traffic: Traffic = field(default_factory=Traffic)
    hops: tuple[Hop, ...] = field(default_factory=lambda: (Hop(),))
    origin: Origin = field(default_factory=Origin)
    lab: LabSettings = field(default_factory=LabSettings)

    def __post_init__(self) -> None:
        self._check()
        hops = tuple(self.hops)
        if not 1 <= len(hops) <= 100 or not all(isinstance(h, Hop) for h in hops):
            raise SettingsError(f"hops has {len(hops)} entries; allowed: 1 to 100 Hops")
        object.__setattr__(self, "hops", tuple(_placed(hops)))

    @property
    def parties(self) -> tuple[str, ...]:
        """The programs along the chain, one more than hops; the last is "upstream"."""
        return (*(h.name or _party(i) for i, h in enumerate(self.hops)), "upstream")

    def get(self, path: str) -> Any:
        """The value at a dotted path; SettingsError if there is no such knob."""
        from labkit import notation

        return notation.get(self, path)

    def replace(self, path: str, value: object) -> Scenario:
        """A copy with one knob turned; what was never written is derived anew."""
        from labkit import notation

        return notation.replace(self, path, value)

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
        from labkit import notation

        return notation.token(self)

    @classmethod
    def from_token(cls, text: str) -> Scenario:
        """The scenario of a token; SettingsError if it is damaged."""
        from labkit import notation

        return notation.from_token(text)


def _party(index: int) -> str:
    if index == 0:
        return "client"
    return "proxy" if index == 1 else f"proxy {index}"


def _placed(hops: tuple[Hop, ...]) -> list[Hop]:
    """Give every pool the failure of its owner, unless one was written."""
    placed = []
    for index, hop in enumerate(hops):
        if "failure" not in hop.pool.written:
            owner = hops[index - 1].server.personality if index else None
            failure = FAILURES[owner] if owner else "none"
            if failure != hop.pool.failure:
                pool = dataclasses.replace(hop.pool, failure=failure)
                object.__setattr__(pool, "written", hop.pool.written)
                hop = dataclasses.replace(hop, pool=pool)
        placed.append(hop)
    return placed


def knobs(hops: int = 1) -> list[Knob]:
    """Every knob of a scenario with so many hops, by its dotted path."""
    from labkit import notation

    return notation.knobs(hops)


def knob_at(path: str) -> Knob:
    """What is known of one knob; SettingsError if there is none."""
    from labkit import notation

    return notation.knob_at(path)

"""The groups of knobs: traffic, pool, link, server, hop, origin, and events.

Seconds everywhere, as floats, ``inf`` for no limit. Every value is checked when
it is set; a wrong one raises :class:`SettingsError`, which names the field, the
value and what is allowed.
"""

from __future__ import annotations

import math
from typing import Any

from labkit.settings.fields import (
    SettingsGroup,
    derived,
    group,
    group_list,
    knob,
    settings_group,
    written_names,
)
from labkit.settings.personalities import PERSONALITIES, SERVER_DEFAULTS
from labkit.settings.validators import (
    MOST_COUNTED,
    any_or_several,
    choice,
    count,
    flag,
    header_fields,
    keepalive,
    maybe,
    number,
    plain_value,
    refusal,
    seconds,
    several,
    text,
    token,
    weights,
)

inf = math.inf

# Envoy's words for retry_on. Those of gRPC and HTTP/3, and "retriable-headers", are
# accepted because configurations hold them: they cover nothing here, and nothing of
# the race in Envoy (measured on 1.40). "retriable-status-codes" covers the codes of
# ``retriable_status_codes``.
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
ACTIONS = ("set", "deploy", "drain", "kill", "outage")

# What makes a deploy one of Kubernetes' kind.
MOVES = ("overlap", "readiness_delay", "pre_stop", "grace_period", "endpoint_lag")


@settings_group
class Traffic(SettingsGroup):
    """Who sends how much, and when. The first request is sent at t = 0."""

    where = "traffic"
    arrivals: str = knob(
        "poisson",
        choice("poisson", "periodic", "gaps", "users"),
        "when requests are sent",
        fixed=True,
    )
    rate: float = knob(
        1.0, number(0, 1e6, above=True, unit="1/s"), "arrivals a second, on average"
    )
    requests: int = knob(
        100,
        count(1, MOST_COUNTED),
        "how many in all; above 10000000 only counted",
        fixed=True,
    )
    gaps: tuple[float, ...] = knob(
        (), several(seconds(endless=False), "gaps"), "from an outcome to the next"
    )
    users: int = knob(
        1,
        count(1, 100_000),
        'where arrivals are "users": each thinks for gaps, or for 1/rate on average',
        fixed=True,
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
        SettingsGroup.__post_init__(self)
        if self.arrivals == "gaps" and not self.gaps:
            wanted = 'at least one gap where traffic.arrivals is "gaps"'
            raise refusal("traffic.gaps", [], wanted)

    @property
    def waits(self) -> bool:
        """Does a request wait for the outcome of one before it?"""
        return self.arrivals in ("gaps", "users")

    @property
    def turn(self) -> int:
        """How many requests an arrival brings, or one turn of all users."""
        return self.burst * (self.users if self.arrivals == "users" else 1)

    @property
    def mean_gap(self) -> float:
        """Seconds between two arrivals, or from an outcome to the next, on average."""
        if self.waits and self.gaps:
            return sum(self.gaps) / len(self.gaps)
        return 1.0 / self.rate


@settings_group
class Retry(SettingsGroup):
    """When a pool's owner repeats a request.

    Where ``retry_on`` is not written, the habits of the owner's personality stand;
    written as empty it forbids them.
    """

    where = "pool.retry"
    retry_on: tuple[str, ...] = derived(
        (), several(choice(*RETRY_WORDS), "Envoy's words"), "which failures"
    )
    reused_only: bool = knob(False, flag(), "only what died with a reused connection")
    retriable_status_codes: tuple[int, ...] = knob(
        (),
        several(count(400, 599), "status codes"),
        'which responses "retriable-status-codes" covers',
    )
    num_retries: int = knob(1, count(0, 1000), "further tries per request")
    methods: str | tuple[str, ...] = knob(
        "any", any_or_several(token(), "HTTP methods"), "which may be sent twice"
    )
    base_interval: float = knob(0.025, seconds(endless=False), "first back-off")
    max_interval: float = knob(0.25, seconds(endless=False), "longest back-off")
    max_retries: int = knob(3, count(0, 1_000_000), "at the same time")
    buffer_limit: int = knob(1_048_576, count(0, 10**9), "bytes of body kept for it")
    written: frozenset[str] = written_names()

    @property
    def is_unwritten(self) -> bool:
        """Does nothing say which failures, so that habits stand?"""
        return "retry_on" not in self.written

    def allows(self, method: str) -> bool:
        """May a request of this method be sent twice?"""
        return self.methods == "any" or method in self.methods

    def _values(self) -> tuple[Any, ...]:
        """With what was written: "none" and "as you like" are not the same."""
        return (*SettingsGroup._values(self), self.written)


@settings_group
class Pool(SettingsGroup):
    """The client end of a hop. ``failure`` follows the pool's owner if not written.

    ``workers`` are programs side by side, with a pool each: every limit holds for one
    of them, and a request goes to any of them by chance. ``max_idle``: whoever comes
    to rest beside so many is closed, as by Go's ``MaxIdleConnsPerHost``. ``tick``: idle
    connections are looked at in such steps, so they live up to one tick longer.
    """

    where = "pool"
    workers: int = knob(1, count(1, 1000), "pools side by side", fixed=True)
    idle_timeout: float = knob(inf, seconds(), "counted from a response received")
    max_connection_duration: float = knob(inf, seconds(), "never cuts a request")
    max_requests_per_connection: float = knob(
        inf, count(1, endless=True), "then the pool closes it"
    )
    max_connections: float = knob(1024, count(1, endless=True), "at the same time")
    max_pending_requests: float = knob(1024, count(0, endless=True), "in the queue")
    max_idle: float = knob(inf, count(0, endless=True), "the surplus is closed")
    connect_timeout: float = knob(5.0, seconds(above_zero=True), "for the handshake")
    timeout: float = knob(15.0, seconds(above_zero=True), "for all tries of a request")
    per_try_timeout: float = knob(inf, seconds(above_zero=True), "for one try")
    reuse: str = knob("lifo", choice("lifo", "fifo"), "which idle connection first")
    watch_fin: bool = knob(True, flag(), "false: never looks at an idle socket")
    reuse_delay: int = knob(1, count(0, 1000), "delivery passes it rests before reuse")
    honours_hint: bool = knob(False, flag(), "obeys Keep-Alive: timeout=N")
    hint_margin: float = knob(1.0, seconds(endless=False), "stays so far below a hint")
    tick: float = knob(0.0, seconds(endless=False), "granularity of its timers")
    reads_after_write_error: bool = knob(
        True, flag(), "false: an answer that came with a RST of its request is lost"
    )
    failure: str = derived(
        "503", choice("503", "502", "silent", "none"), "told when the hop fails"
    )
    tcp_keepalive: dict[str, float] | None = knob(
        None, maybe(keepalive()), "the kernel's probes, on new connections"
    )
    user_timeout: float = knob(
        inf,
        seconds(above_zero=True),
        "TCP_USER_TIMEOUT: unanswered for so long, it is dead",
    )
    lag: float = knob(
        0.0, seconds(endless=False), "its loop is busy: sees what arrives so much later"
    )
    retry: Retry = group(Retry)
    written: frozenset[str] = written_names()


@settings_group
class Link(SettingsGroup):
    """The wire between the two ends of a hop."""

    where = "link"
    delay: float = knob(0.0, seconds(endless=False), "one way")
    jitter: float = knob(0.0, seconds(endless=False), "up to so much more, by chance")
    forget_after: float = knob(inf, seconds(), "a middlebox forgets idle flows")
    forgets: str = knob(
        "drop", choice("drop", "rst"), "its answer to a forgotten flow: none, or RST"
    )


@settings_group
class Server(SettingsGroup):
    """The server end of a hop. What is not written follows the personality."""

    where = "server"
    personality: str = knob(
        "plain", choice(*PERSONALITIES), "whose defaults", fixed=True
    )
    idle_timeout: float = derived(inf, seconds(), "counted from a response sent")
    drain_timeout: float = derived(
        0.0, seconds(endless=False), "then served with close"
    )
    delayed_close_timeout: float = derived(0.0, seconds(endless=False), "then deaf")
    max_connection_duration: float = derived(inf, seconds(), "then it says goodbye")
    http1_safe_max_connection_duration: bool = derived(
        False, flag(), "waits for a request to say it with"
    )
    max_requests_per_connection: float = derived(
        inf, count(1, endless=True), "then the server closes it"
    )
    request_headers_timeout: float = derived(inf, seconds(above_zero=True), "else 408")
    stream_idle_timeout: float = derived(inf, seconds(above_zero=True), "of a request")
    announce: bool = derived(False, flag(), "Connection: close on the last response")
    hint: bool = derived(
        False,
        flag(),
        "Keep-Alive: timeout=N on every response; an Envoy before others gives none",
    )
    farewell: str = derived("fin", choice("fin", "rst", "408"), "how idleness ends")
    tick: float = derived(0.0, seconds(endless=False), "granularity of the idle timer")
    accept_http_10: bool = derived(True, flag(), "false: HTTP/1.0 gets a 426")
    replicas: int = knob(
        1, count(1, 100), "so many servers behind the last hop", fixed=True
    )
    balance: str = knob(
        "round_robin",
        choice("round_robin", "random"),
        "which server a request, and each try of it, goes to",
    )
    tcp_keepalive: dict[str, float] | None = knob(
        None, maybe(keepalive()), "the kernel's probes, on new connections"
    )
    lag: float = knob(
        0.0, seconds(endless=False), "its loop is busy: sees what arrives so much later"
    )
    written: frozenset[str] = written_names()

    def unwritten_default(self, name: str, plain: Any) -> Any:
        """What this personality does when nothing is configured."""
        # The personality is the first field: it has been checked by now.
        return SERVER_DEFAULTS[self.personality].get(name, plain)


@settings_group
class Hop(SettingsGroup):
    """One hop: ``name`` is the program at its client end."""

    where = "hop"
    name: str = knob("", text(40), "of the program at the client end", fixed=True)
    pool: Pool = group(Pool)
    link: Link = group(Link)
    server: Server = group(Server)


@settings_group
class Origin(SettingsGroup):
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
class Event(SettingsGroup):
    """Something that happens to the running chain at a given second.

    "set" turns the knob ``path`` to ``value``; the others happen to the servers of a
    hop, ``path`` is then such as "hop.1", or to one of them, ``replica`` (from 0).

    "drain": its responses say ``Connection: close``, all of them ("immediate"), ever
    more over ``value`` seconds, or none, and it stops listening ("listeners").

    "deploy": it stops listening and drains, and ``value`` seconds (1) later another one
    takes its place; of several servers one after the other. With any of ``overlap``,
    ``readiness_delay``, ``pre_stop``, ``grace_period`` and ``endpoint_lag`` it is as in
    Kubernetes: the new program has an address of its own and listens ``value`` seconds
    after its start. It is sent requests from ``readiness_delay`` seconds after its
    start on (not written: as soon as it listens), the old one until ``endpoint_lag``
    seconds (0) after it was told to go. That one goes on as before for ``pre_stop``
    seconds (0), then stops listening and drains, and is killed ``grace_period`` seconds
    (30) after it was told to go; the pause counts (Kubernetes API, core/v1
    Lifecycle, preStop). With ``overlap`` the old one is told to go when the new one is
    sent requests; without, the new one is started when the old one is gone.

    "kill": it is gone at once, with a RST on every connection, and refuses for
    ``value`` seconds (1). "outage": for ``value`` seconds (1) it cannot be reached;
    ``how`` is "refuse" (its connections end by FIN) or "silence" (nothing answers).
    """

    where = "lab.schedule"
    at: float = knob(0.0, seconds(endless=False), "when")
    action: str = knob("set", choice(*ACTIONS), "what")
    path: str = knob("", text(100), "which knob, or which hop")
    value: Any = knob(None, plain_value(), "of the knob from then on")
    replica: int | None = knob(
        None, maybe(count(0, 99)), "which server of the hop; else all of them"
    )
    how: str | None = knob(
        None, maybe(choice("refuse", "silence")), "what an outage looks like"
    )
    overlap: bool | None = knob(
        None, maybe(flag()), "of a deploy: the new one is there before the old one goes"
    )
    readiness_delay: float | None = knob(
        None, maybe(seconds(endless=False)), "from its start until it is sent requests"
    )
    pre_stop: float | None = knob(
        None, maybe(seconds(endless=False)), "the old one goes on so long as before"
    )
    grace_period: float | None = knob(
        None, maybe(seconds(endless=False)), "then the old one is killed"
    )
    endpoint_lag: float | None = knob(
        None, maybe(seconds(endless=False)), "until no request is sent to the old one"
    )

    @property
    def moves(self) -> bool:
        """Is it a deploy to a new address, as in Kubernetes?"""
        return any(getattr(self, name) is not None for name in MOVES)


@settings_group
class LabSettings(SettingsGroup):
    """What concerns the run and not the programs in it."""

    where = "lab"
    schedule: tuple[Event, ...] = group_list(Event, "schedule", 0, 10_000)
    horizon: float = knob(
        1e12,
        number(0, 1e15, above=True, unit="s"),
        "a run that passes it is an error",
        fixed=True,
    )

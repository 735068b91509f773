"""Random scenarios, for the tests of settings and of how they are written down."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

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
    Traffic,
)
from labkit.settings.groups import RETRY_WORDS, SCRIPTS

INF = float("inf")
spans = st.floats(0, 1e9)
limits = spans | st.just(INF)
positive = st.floats(0, 1e9, exclude_min=True) | st.just(INF)
counts = st.integers(1, 10_000_000) | st.just(INF)
tokens = st.text(string.ascii_letters + string.digits + "-!#$%&'*+.^_`|~", min_size=1)
lines = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('"\\#='),
    max_size=20,
)
FRAMING = ("host", "content-length", "transfer-encoding")
names = tokens.filter(lambda name: name.lower() not in FRAMING)
values = st.text(string.ascii_letters + string.digits + '"\\=;,', max_size=10)


def some(kind: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Instances of a group of which any part of the fields was written."""
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: kind(**given))


traffics = some(
    Traffic,
    rate=st.floats(0, 1e6, exclude_min=True),
    requests=st.integers(1, 10_000_000),
    gaps=st.lists(spans, max_size=4),
    jitter=spans,
    methods=st.dictionaries(tokens, st.floats(1e-3, 1e9), min_size=1, max_size=3),
    headers=st.dictionaries(names, values, max_size=3),
    http_version=st.sampled_from(["1.0", "1.1"]),
    burst=st.integers(1, 100),
)
retries = some(
    Retry,
    retry_on=st.lists(st.sampled_from(RETRY_WORDS), max_size=3),
    num_retries=st.integers(0, 9),
    methods=st.just("any") | st.lists(tokens, max_size=3),
    max_interval=spans,
    reused_only=st.booleans(),
    retriable_status_codes=st.lists(st.integers(400, 599), max_size=3),
)
probes = st.none() | st.fixed_dictionaries(
    {"time": st.integers(1, 32_767)},
    optional={"interval": st.integers(1, 32_767), "probes": st.integers(1, 127)},
)
pools = some(
    Pool,
    idle_timeout=limits,
    max_requests_per_connection=counts,
    timeout=positive,
    reuse=st.sampled_from(["lifo", "fifo"]),
    workers=st.integers(1, 1000),
    max_idle=counts,
    hint_margin=spans,
    tick=spans,
    reads_after_write_error=st.booleans(),
    watch_fin=st.booleans(),
    failure=st.sampled_from(["503", "502", "silent", "none"]),
    tcp_keepalive=probes,
    user_timeout=positive,
    lag=spans,
    retry=retries,
)
links = some(
    Link,
    delay=spans,
    jitter=spans,
    forget_after=limits,
    forgets=st.sampled_from(["drop", "rst"]),
)
servers = some(
    Server,
    personality=st.sampled_from(["plain", "envoy", "nginx", "haproxy", "alb"]),
    idle_timeout=limits,
    drain_timeout=spans,
    max_requests_per_connection=counts,
    announce=st.booleans(),
    farewell=st.sampled_from(["fin", "rst", "408"]),
    accept_http_10=st.booleans(),
    tcp_keepalive=probes,
    lag=spans,
)
hops = some(Hop, pool=pools, link=links, server=servers)
origins = some(
    Origin,
    service_time=spans,
    fin_after=st.none() | spans,
    script=st.none() | st.sampled_from(SCRIPTS),
)
events = some(Event, at=spans, value=st.floats(0, 1e6)).map(
    lambda event: Event(at=event.at, path="hop.0.link.delay", value=event.value or 1)
)
labs = some(
    LabSettings,
    schedule=st.lists(events, max_size=2),
    horizon=st.floats(1e-6, 1e15),
)
scenarios = some(
    Scenario,
    name=lines,
    seed=st.integers(-(2**63), 2**63 - 1),
    traffic=traffics,
    hops=st.lists(hops, min_size=1, max_size=3),
    origin=origins,
    lab=labs,
)

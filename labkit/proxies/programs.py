"""The real proxies that there are, by the name that the command line knows."""

from __future__ import annotations

from collections.abc import Mapping

from labkit.proxies.envoy import Envoy
from labkit.proxies.haproxy import Haproxy
from labkit.proxies.nginx import Nginx
from labkit.proxies.program import Program

_ALL: tuple[Program, ...] = (Envoy(), Nginx(), Haproxy())

PROGRAMS: Mapping[str, Program] = {each.name: each for each in _ALL}
OURS = "labkit"
NAMES = (OURS, *PROGRAMS)

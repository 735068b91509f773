"""The real proxies that there are, by the name that the command line knows."""

from __future__ import annotations

from collections.abc import Mapping

from labkit.field.envoy import Envoy
from labkit.field.haproxy import Haproxy
from labkit.field.nginx import Nginx
from labkit.field.program import Program

_ALL: tuple[Program, ...] = (Envoy(), Nginx(), Haproxy())

PROGRAMS: Mapping[str, Program] = {each.name: each for each in _ALL}
OURS = "labkit"
NAMES = (OURS, *PROGRAMS)

"""The real proxies that there are, by the name that the command line knows."""

from __future__ import annotations

from collections.abc import Mapping

from labkit.field.envoy import Envoy
from labkit.field.program import Program

PROGRAMS: Mapping[str, Program] = {each.name: each for each in (Envoy(),)}
OURS = "labkit"
NAMES = (OURS, *PROGRAMS)

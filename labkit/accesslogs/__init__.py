"""Traffic from the real world: access logs of Envoy, nginx, Apache, Traefik, ALB.

>>> log = labkit.accesslogs.read("access.log.gz")
>>> print(log.summary())
>>> scenario = Scenario(traffic=log.traffic(), hops=...)
"""

from __future__ import annotations

from labkit.accesslogs.entry import LogEntry
from labkit.accesslogs.formats import FORMATS
from labkit.accesslogs.log import AccessLog
from labkit.accesslogs.reading import LogError, parse, read

__all__ = ["FORMATS", "AccessLog", "LogEntry", "LogError", "parse", "read"]

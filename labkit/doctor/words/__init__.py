"""The index of phrases, by who prints them."""

from __future__ import annotations

from labkit.doctor.phrases import Row
from labkit.doctor.words import (
    clouds,
    go,
    jvm,
    node,
    others,
    proxies,
    python,
    servers,
    system,
)

ROWS: tuple[Row, ...] = (
    *clouds.ROWS,
    *proxies.ROWS,
    *python.ROWS,
    *go.ROWS,
    *node.ROWS,
    *jvm.ROWS,
    *others.ROWS,
    *servers.ROWS,
    *system.ROWS,
)

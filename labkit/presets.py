"""Products by name: the defaults of ``data/default-timeouts.csv`` as settings of a hop.

A product has two ends. As a client it keeps idle connections in a pool, as a server
it closes them; each figure keeps the row that it comes from, with version and source.
A figure is when the socket is closed, not what is announced: Node.js since 20.18 and
22.9 says ``Keep-Alive: timeout=5`` and closes at 6.0 s. ``hint`` is on or off here, so
the lab's server announces what it keeps (6); a pool that honours it then stays a second
below 6, where a real one stays a second below 5. That errs on the careful side: what is
safe here is safe there.

    >>> pair("AWS ALB", "Node.js http.Server").changes(hop=0)
    {'hop.0.pool.idle_timeout': 60.0, 'hop.0.server.idle_timeout': 6.0, ...}
"""

from __future__ import annotations

import csv
import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from labkit.kinds import shown
from labkit.parameters import knob_of
from labkit.places import data
from labkit.settings import SettingsError
from labkit.theory import duration
from labkit.versions import Version, ranges
from labkit.versions import version as numbers_of

SIDES = ("client", "server")
_TABLE = "default-timeouts.csv"
_WORD = re.compile(r"[^\s,;()/]+")
_PART = {"client": "pool", "server": "server"}


@dataclass(frozen=True, slots=True)
class Default:
    """One row of the table: what a product does when nobody configures it.

    ``seconds`` is inf for no limit, 0 where connections are not kept at all.
    """

    name: str
    version: str
    side: str
    parameter: str
    seconds: float
    announces_close: str
    auto_retry: str
    source: str
    is_verified: bool
    note: str

    @property
    def knob(self) -> str | None:
        """The knob of its end that this row sets, or None."""
        return knob_of(self.parameter)

    @property
    def product(self) -> str:
        """The name without what stands in brackets."""
        return self.name.partition(" (")[0]

    def is_of(self, text: str, numbers: Version | None) -> bool:
        """Is it about this version, or about these words where it has no numbers?"""
        own = ranges(self.version)
        if own and numbers:
            return any(each.meets(numbers) for each in own)
        asked = set(text.casefold().split())
        return bool(asked) and asked <= set(_WORD.findall(self.version.casefold()))

    def newest(self, line: Version) -> tuple[float, ...]:
        """The newest version of a line that it is about."""
        met = (each for each in ranges(self.version) if each.meets(line))
        return max((each.newest(line) for each in met), default=())

    @property
    def keeps_connections(self) -> bool:
        """Does it keep connections between requests at all?"""
        return self.seconds > 0.0

    def __str__(self) -> str:
        told = duration(self.seconds) if self.keeps_connections else "not kept"
        return f"{self.name} {self.version}: {self.parameter}, {told}"


@cache
def defaults() -> tuple[Default, ...]:
    """All rows in the order of the table."""
    with data(_TABLE).open(newline="", encoding="utf-8") as table:
        return tuple(_row(row) for row in csv.DictReader(table))


def _row(row: Mapping[str, str]) -> Default:
    return Default(
        name=row["name"],
        version=row["version"],
        side=row["side"],
        parameter=row["parameter"],
        seconds=float(row["seconds"]) if row["seconds"] else math.inf,
        announces_close=row["announces_close"],
        auto_retry=row["auto_retry"],
        source=row["source"],
        is_verified=row["verified"] == "yes",
        note=row["note"],
    )


# -- look-up --------------------------------------------------------------------------


def products(side: str) -> list[str]:
    """The names that have an idle timeout as a "client" or as a "server"."""
    return list(dict.fromkeys(row.name for row in _idle(side)))


def idle(product: str, side: str, version: str | None = None) -> Default:
    """The idle timeout of a product as a "client" or as a "server".

    ``product`` is a name of the table, or as much of one as tells it apart ("nginx",
    "gunicorn gthread"). Without ``version`` the first row of several counts, with one
    ("20.17.0") the row whose range holds it; a version that names a line ("20") stands
    for its newest. SettingsError names the nearest products, those meant, or the
    versions that there are.
    """
    found = _named(product, _idle(side))
    if not found:
        raise SettingsError(
            f"no {side} is called {shown(product)}; nearest: {_nearest(product, side)}"
        )
    if version is not None:
        found = _of_version(found, product, version)
    if len({row.name for row in found}) > 1 and len({row.seconds for row in found}) > 1:
        names = ", ".join(dict.fromkeys(f'"{row.name}"' for row in found))
        raise SettingsError(f"{shown(product)} is several {side}s: {names}")
    return found[0]


def _of_version(
    rows: Sequence[Default], product: str, version: object
) -> list[Default]:
    """The rows of a version, the newest first."""
    if not isinstance(version, str):
        raise SettingsError(f'version is {shown(version)}; allowed: a text, "20.17.0"')
    numbers = numbers_of(version)
    found = [row for row in rows if row.is_of(version, numbers)]
    if not found:
        known = ", ".join(dict.fromkeys(f'"{row.version}"' for row in rows))
        raise SettingsError(
            f"version is {shown(version)}; the table has of {shown(product)}: {known}"
        )
    if numbers is None:
        return found
    return sorted(found, key=lambda row: row.newest(numbers), reverse=True)


def _idle(side: str) -> list[Default]:
    if side not in SIDES:
        raise SettingsError(f'side is {shown(side)}; allowed: "client", "server"')
    return [
        row for row in defaults() if row.side == side and row.knob == "idle_timeout"
    ]


def _named(product: str, rows: Sequence[Default]) -> list[Default]:
    """The rows that the words mean: the name itself, the product, or part of it."""
    wanted = product.casefold().strip()
    words = wanted.split()
    for means in (
        lambda row: row.name.casefold() == wanted,
        lambda row: row.product.casefold() == wanted,
        lambda row: words and all(word in row.name.casefold() for word in words),
    ):
        found = [row for row in rows if means(row)]
        if found:
            return found
    return []


def _nearest(product: str, side: str) -> str:
    names = products(side)
    words = [word for word in product.casefold().split() if len(word) > 2]
    alike = [name for name in names if any(word in name.casefold() for word in words)]
    short = {name.partition(" (")[0].casefold(): name for name in reversed(names)}
    close = difflib.get_close_matches(product.casefold(), short, 3, 0.5)
    told = list(dict.fromkeys([*(short[each] for each in close), *alike]))[:5]
    return ", ".join(f'"{name}"' for name in told or names[:5])


# -- settings -------------------------------------------------------------------------


def end(default: Default, hop: int) -> dict[str, Any]:
    """The changes that give one end of a hop a product's idle timers.

    A server's drain and delayed close come along, for they move its race window.
    """
    part = f"hop.{hop}.{_PART[default.side]}"
    changes: dict[str, Any] = {f"{part}.max_requests_per_connection": math.inf}
    if not default.keeps_connections:
        changes[f"{part}.max_requests_per_connection"] = 1
    changes[f"{part}.idle_timeout"] = default.seconds
    if default.side == "server":
        says = default.announces_close
        changes[f"{part}.hint"] = says.startswith("hint")
        changes[f"{part}.announce"] = says.startswith(("always", "cap", "hint+cap"))
        for knob in ("drain_timeout", "delayed_close_timeout"):
            changes[f"{part}.{knob}"] = _beside(default, knob)
    return changes


def _beside(default: Default, knob: str) -> float:
    """Another figure of the same product and end; 0 if the table has none."""
    for row in defaults():
        if (row.name, row.side, row.knob) == (default.name, default.side, knob):
            return row.seconds
    return 0.0


@dataclass(frozen=True, slots=True)
class Preset:
    """A client before a server, as both are when nobody configures them."""

    client: Default
    server: Default

    @property
    def name(self) -> str:
        """As a list of presets shows it: "AWS ALB 60 s before uvicorn 5 s"."""
        client, server = self.client, self.server
        return f"{_told(client)} before {_told(server)}"

    @property
    def sources(self) -> tuple[str, str]:
        """Where the two figures come from."""
        return self.client.source, self.server.source

    def changes(self, hop: int = 0) -> dict[str, Any]:
        """The settings of a hop between the two, by path."""
        return {**end(self.client, hop), **end(self.server, hop)}


def _told(row: Default) -> str:
    if not row.keeps_connections:
        return f"{row.product} without keep-alive"
    if math.isinf(row.seconds):
        return f"{row.product} without limit"
    return f"{row.product} {duration(row.seconds)}"


def pair(client: str, server: str) -> Preset:
    """Any two products of the table; SettingsError names the nearest ones."""
    return Preset(idle(client, "client"), idle(server, "server"))


# Who stands before whom in the reports that people write, and what is safe.
_PAIRS = (
    ("AWS ALB", "Node.js http.Server"),
    ("AWS ALB", "uvicorn"),
    ("AWS ALB", "Puma"),
    ("AWS ALB", "Envoy"),
    ("Envoy", "Node.js http.Server"),
    ("Envoy", "Tomcat (embedded)"),
    ("Envoy", "Go net/http Server"),
    ("nginx", "gunicorn (gthread, gevent, asgi)"),
    ("nginx", "gunicorn (sync worker)"),
    ("nginx", "aiohttp.web.run_app"),
    ("ingress-nginx", "uvicorn"),
    ("Google Cloud global external ALB", "nginx"),
    ("Linkerd2-proxy (to app, HTTP/1)", "Node.js http.Server"),
    ("Go http.DefaultTransport", "Jetty server"),
    ("Python requests", "nginx"),
)


@cache
def presets() -> Mapping[str, Preset]:
    """Common neighbours by the name of their preset."""
    made = (pair(*products) for products in _PAIRS)
    return {each.name: each for each in made}


def preset(name: str) -> Preset:
    """One of them; SettingsError names the nearest."""
    there = presets()
    if name not in there:
        close = difflib.get_close_matches(name, there, 3, 0.3) or list(there)
        told = ", ".join(f'"{each}"' for each in close)
        raise SettingsError(f"no preset is called {shown(name)}; nearest: {told}")
    return there[name]


def for_panel(hop: int = 0) -> dict[str, dict[str, Any]]:
    """All of them as a panel takes them: settings by path, by name."""
    return {name: each.changes(hop) for name, each in presets().items()}

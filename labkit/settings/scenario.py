"""A scenario: a list of hops, each of them a pool, a link and a server.

It reads and writes itself as a table, as TOML and as a token, and turns one knob by
its dotted path.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from labkit.settings import paths, schedule, tables, tokens
from labkit.settings.fields import (
    Knob,
    SettingsGroup,
    group,
    group_list,
    knob,
    settings_group,
)
from labkit.settings.groups import Event, Hop, LabSettings, Origin, Traffic
from labkit.settings.personalities import FAILURES
from labkit.settings.validators import refusal, text, whole

S = TypeVar("S", bound=SettingsGroup)


@settings_group
class Scenario(SettingsGroup):
    """A whole experiment: traffic, hops from the traffic to the origin, origin."""

    where = ""
    name: str = knob("", text(100), "for people", fixed=True)
    seed: int = knob(0, whole(), "of all chance", fixed=True)
    traffic: Traffic = group(Traffic)
    hops: tuple[Hop, ...] = group_list(Hop, "hop", 1, 100)
    origin: Origin = group(Origin)
    lab: LabSettings = group(LabSettings)

    def __post_init__(self) -> None:
        SettingsGroup.__post_init__(self)
        object.__setattr__(self, "hops", tuple(_placed(self.hops)))
        _check_names(self)
        _check_replicas(self)
        if self.lab.schedule:
            schedule.check_schedule(self, self.lab.schedule)

    @property
    def parties(self) -> tuple[str, ...]:
        """The programs along the chain, one more than hops; the last is "upstream"."""
        return (*(h.name or _party(i) for i, h in enumerate(self.hops)), "upstream")

    def get(self, path: str) -> Any:
        """The value at a dotted path; SettingsError if there is no such knob."""
        return paths.get(self, path)

    def replace(self, path: str, value: object) -> Scenario:
        """A copy with one knob turned; None makes it unwritten again.

        What was never written is derived anew, e.g. from a new personality.
        """
        return self.replace_all({path: value})

    def replace_all(self, changes: Mapping[str, object]) -> Scenario:
        """A copy with several knobs turned at once, in no order."""
        return paths.replace(self, changes)

    def with_schedule(self, events: tuple[Event, ...]) -> Scenario:
        """A copy to which this happens on the way; the events are not checked."""
        return _but(self, "lab", _but(self.lab, "schedule", events))

    @classmethod
    def from_toml(cls, source: Path | str) -> Scenario:
        """Read a file, or a text: a string without a newline is a path."""
        return tables.from_toml(cls, source)

    def to_toml(self) -> str:
        """The scenario as TOML: what was written or differs from the defaults."""
        return tables.to_toml(self)

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> Scenario:
        """The scenario of a parsed TOML table."""
        return tables.from_dict(cls, table)

    def to_dict(self) -> dict[str, Any]:
        """The table that :meth:`to_toml` writes."""
        return tables.to_dict(self)

    def token(self) -> str:
        """A short text to hand this setting to a colleague."""
        return tokens.packed(self.to_toml())

    @classmethod
    def from_token(cls, text: str) -> Scenario:
        """The scenario of a token; SettingsError if it is damaged."""
        return cls.from_toml(tokens.unpacked(text))


def _party(index: int) -> str:
    if index == 0:
        return "client"
    return "proxy" if index == 1 else f"proxy {index}"


def _check_names(scenario: Scenario) -> None:
    """No two programs share a name: URLs and lifelines go by it."""
    parties = scenario.parties
    for index, hop in enumerate(scenario.hops):
        if hop.name and parties.count(hop.name) > 1:
            allowed = "a name that no other program of the chain has"
            raise refusal(f"hop.{index}.name", hop.name, allowed)


def _check_replicas(scenario: Scenario) -> None:
    """Several servers only at the last hop: several proxies have as many pools."""
    for index, hop in enumerate(scenario.hops[:-1]):
        if hop.server.replicas > 1:
            allowed = "1 before the last hop"
            path = f"hop.{index}.server.replicas"
            raise refusal(path, hop.server.replicas, allowed)


def _placed(hops: tuple[Hop, ...]) -> list[Hop]:
    """Give every pool the failure of its owner, unless one was written."""
    placed = []
    for index, hop in enumerate(hops):
        owner = hops[index - 1].server.personality if index else None
        failure = FAILURES[owner] if owner else "none"
        if "failure" not in hop.pool.written and failure != hop.pool.failure:
            hop = _but(hop, "pool", _but(hop.pool, "failure", failure))
        placed.append(hop)
    return placed


def _but(section: S, name: str, value: Any) -> S:
    """A copy with another derived value, which does not count as written."""
    other = copy.copy(section)
    object.__setattr__(other, name, value)
    return other


def knobs(hops: int = 1) -> list[Knob]:
    """Every knob of a scenario with so many hops, by its dotted path."""
    found = list(paths.knobs_of(Scenario, ""))
    for index in range(hops):
        found += paths.knobs_of(Hop, f"hop.{index}.")
    return [_of_a_bare_client(each) for each in found]


def knob_at(path: str) -> Knob:
    """The knob at a path; SettingsError with the nearest one if there is none."""
    chain = Scenario(hops=(Hop(),) * paths.hops_named(path))
    return _of_a_bare_client(paths.knob_at(chain, path))


def _of_a_bare_client(knob: Knob) -> Knob:
    """The first hop belongs to a bare client, which answers nobody."""
    if knob.path == "hop.0.pool.failure":
        return replace(knob, default="none")
    return knob

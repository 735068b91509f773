"""What is refused before anything is started, in one sentence that names the field."""

from __future__ import annotations

import os
from typing import Any

from labkit.proxies.errors import FieldError
from labkit.proxies.program import Program, Words
from labkit.proxies.programs import NAMES, OURS, PROGRAMS
from labkit.settings import Scenario
from labkit.settings.fields import default_of, entries
from labkit.settings.groups import MOVES
from labkit.settings.validators import SettingsError, refusal


def chosen(proxy: str, scenario: Scenario, engine: str) -> tuple[str, ...]:
    """The names of the proxies along the chain, "labkit" for ours.

    ``proxy`` is one name for all of them, or a comma list with one for each.
    SettingsError for anything that cannot be, by the setting's name.
    """
    names = tuple(each.strip() for each in proxy.split(","))
    for name in names:
        if name not in NAMES:
            raise SettingsError(f"proxy is {name!r}; allowed: {', '.join(NAMES)}")
    there = len(scenario.hops) - 1
    if len(names) == 1:
        names *= max(there, 1)
    if set(names) == {OURS}:
        return names
    if engine != "live":
        raise SettingsError(
            f"proxy is {proxy!r} on the {engine} engine; allowed: {OURS}, or engine "
            '"live"'
        )
    if len(names) != there:
        raise SettingsError(
            f"proxy is {proxy!r}, but the chain has {_proxies(there)}; "
            "allowed: one name, or one for each"
        )
    check(scenario, names)
    if os.name != "posix":
        raise FieldError("a real proxy needs Linux or macOS; allowed here: labkit")
    return names


def _proxies(number: int) -> str:
    return {0: "no proxy", 1: "one proxy"}.get(number, f"{number} proxies")


def check(scenario: Scenario, names: tuple[str, ...]) -> None:
    """SettingsError for the first setting that a real program cannot have."""
    for hop, name in enumerate(names):
        if name != OURS:
            program = PROGRAMS[name]
            server, pool = scenario.hops[hop].server, scenario.hops[hop + 1].pool
            _check(program, f"hop.{hop}.server", server, program.server)
            _check(program, f"hop.{hop + 1}.pool", pool, program.pool)
            _check(program, f"hop.{hop + 1}.pool.retry", pool.retry, program.retry)
            _check_behind(scenario, hop + 1)
    for index, event in enumerate(scenario.lab.schedule):
        if is_fixed(event.path, names):
            raise refusal(f"lab.schedule.{index}.path", event.path, _ELSEWHERE)
        if event.action != "set":
            refuse_goodbye(f"lab.schedule.{index}.path", event.path, names)


def _check_behind(scenario: Scenario, hop: int) -> None:
    """A real program was told of one address, which stays."""
    replicas = scenario.hops[hop].server.replicas
    if replicas > 1:
        allowed = "1 behind a real proxy"
        raise refusal(f"hop.{hop}.server.replicas", replicas, allowed)
    for index, event in enumerate(scenario.lab.schedule):
        if event.moves and event.path.split(".")[1] == str(hop):
            [name, *_] = [name for name in MOVES if getattr(event, name) is not None]
            allowed = "left out behind a real proxy, which knows one address"
            raise refusal(f"lab.schedule.{index}.{name}", getattr(event, name), allowed)


_ELSEWHERE = "a knob that no real proxy was started with"
_OURS_ONLY = (
    "the hop of a server of ours: a real program is neither drained nor replaced"
)


def _is_real(hop: str, names: tuple[str, ...]) -> bool:
    number = int(hop.partition(".")[2])
    return number < len(names) and names[number] != OURS


def is_fixed(path: str, names: tuple[str, ...]) -> bool:
    """Was a real program started with this knob, so that it cannot be turned?"""
    _, _, rest = path.partition(".")
    number, _, knob = rest.partition(".")
    if not number.isdecimal():
        return False
    hop = int(number)
    owner = hop if knob.startswith("server") else hop - 1
    concerned = knob.startswith(("server", "pool"))
    return concerned and 0 <= owner < len(names) and names[owner] != OURS


def refuse_turning(path: str, value: object, names: tuple[str, ...]) -> None:
    """SettingsError if a real program would have to be started anew for this."""
    if is_fixed(path, names):
        raise refusal(path, value, "what the real proxy was started with")


def refuse_goodbye(where: str, hop: str, names: tuple[str, ...]) -> None:
    """SettingsError if a real program would have to be drained or replaced.

    ``where`` is the field that names the hop, ``hop`` is such as "hop.1".
    """
    if _is_real(hop, names):
        raise refusal(where, hop, _OURS_ONLY)


def _check(program: Program, where: str, section: Any, words: Words) -> None:
    for name, field in entries(type(section)).items():
        if name not in words:
            continue
        value, word = getattr(section, name), words[name]
        if _is_asked_for(section, field, value) and not word.takes(value, section):
            raise refusal(f"{where}.{name}", value, word.allowed)


def _is_asked_for(section: Any, field: Any, value: Any) -> bool:
    """Was it written? Where nobody remembers: does it differ from the default?"""
    if "plain" in field.metadata:
        return field.name in section.written
    return bool(value != default_of(field))

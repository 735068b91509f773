"""What happens on the way: events that can happen to a chain, and those that cannot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labkit.settings.fields import SettingsGroup
from labkit.settings.groups import MOVES, Event, Hop
from labkit.settings.paths import get, knob_field
from labkit.settings.validators import (
    SettingsError,
    Validator,
    checked,
    refusal,
    seconds,
)


def check_schedule(scenario: SettingsGroup, events: Sequence[Event]) -> None:
    """Every event names something that exists, and a value that it can take."""
    for index, event in enumerate(events):
        check_event(scenario, event, f"lab.schedule.{index}")
    _check_presence(scenario, events)


def check_event(scenario: SettingsGroup, event: Event, at: str) -> None:
    """The same of one event; ``at`` is what its SettingsError calls it."""
    try:
        _check_event(scenario, event, at)
    except SettingsError as error:
        told = str(error)
        raise SettingsError(
            told if told.startswith(at) else f"{at}.path: {told}"
        ) from None


def _check_event(scenario: SettingsGroup, event: Event, at: str) -> None:
    for name, actions in _SPEAKS_OF.items():
        given = getattr(event, name)
        if given is not None and event.action not in actions:
            allowed = f'left out where the action is "{event.action}"'
            raise refusal(f"{at}.{name}", given, allowed)
    if event.action == "set":
        check_turns(scenario, event.path)
        kind = knob_field(scenario, event.path).metadata["kind"]
        checked(f"{at}.value", kind, event.value)
        return
    if not isinstance(get(scenario, event.path or "hop"), Hop):
        hops = " or ".join(f'"hop.{i}"' for i in range(len(get(scenario, "hop"))))
        allowed = f'{hops} where the action is "{event.action}"'
        raise refusal(f"{at}.path", event.path, allowed)
    _check_servers(scenario, event, at)
    if event.value is not None and event.value not in _WORDS[event.action]:
        checked(f"{at}.value", _how(event.action), event.value)


def check_turns(scenario: SettingsGroup, path: str) -> None:
    """SettingsError for a knob that cannot be turned while the chain runs."""
    is_event = path.partition(".")[0] == "lab"
    if is_event or knob_field(scenario, path).metadata.get("fixed"):
        raise SettingsError(
            f"{path} cannot be turned while the chain runs: it says what is run"
        )


# How to drain, besides in so many seconds.
_WORDS: dict[str, tuple[str, ...]] = {
    "drain": ("immediate", "listeners"),
    "deploy": (),
    "kill": (),
    "outage": (),
}

# What else an event may say, and with which action.
_SPEAKS_OF: dict[str, tuple[str, ...]] = {
    "replica": ("deploy", "drain", "kill", "outage"),
    "how": ("outage",),
    **dict.fromkeys(MOVES, ("deploy",)),
}


def _check_servers(scenario: SettingsGroup, event: Event, at: str) -> None:
    """There is such a server, and a deploy of it can be carried out."""
    hop = get(scenario, event.path)
    servers = hop.server.replicas
    if event.replica is not None and event.replica >= servers:
        there = "0" if servers == 1 else f"0 to {servers - 1}"
        raise refusal(f"{at}.replica", event.replica, f"{there}, of {event.path}")
    if event.overlap and hop is not get(scenario, "hop")[-1]:
        allowed = "false before the last hop: a proxy has one pool, and so one place"
        raise refusal(f"{at}.overlap", True, allowed)


# -- who is there ------------------------------------------------------------------


def _check_presence(scenario: SettingsGroup, events: Sequence[Event]) -> None:
    """Nothing happens to a server while it is certainly gone."""
    # By hop and server: from when to when, the ends included.
    away: dict[tuple[str, int], list[tuple[float, float]]] = {}
    in_order = sorted(enumerate(events), key=lambda each: each[1].at)
    for index, event in in_order:
        if event.action == "set":
            continue
        servers = get(scenario, event.path).server.replicas
        for server in range(servers) if event.replica is None else [event.replica]:
            spells = away.setdefault((event.path, server), [])
            spells[:] = [spell for spell in spells if spell[1] >= event.at]
            for since, until in spells:
                if since <= event.at:
                    raise refusal(
                        f"lab.schedule.{index}.at",
                        event.at,
                        f"a time at which server {server} of {event.path} is there: "
                        f"it is gone from {since:g} to {until:g} s",
                    )
            spells += _absences(event, server)


def _absences(event: Event, server: int) -> Iterator[tuple[float, float]]:
    """From when to when this server is gone for certain."""
    if event.action == "drain":
        return
    span = 1.0 if event.value is None else float(event.value)
    if event.action != "deploy":
        yield event.at, event.at + span
    elif not event.moves:
        turn = server if event.replica is None else 0
        yield event.at + turn * span, event.at + (turn + 1) * span


def _how(action: str) -> Validator:
    """Seconds, or one of the action's words."""
    span = seconds(endless=False)
    words = "".join(f', or "{word}"' for word in _WORDS[action])
    return Validator(span.allowed + words, span.accept)

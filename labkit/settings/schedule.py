"""What happens on the way: events that can happen to a chain, and those that cannot."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.settings.fields import SettingsGroup
from labkit.settings.groups import Event, Hop
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
    if event.action == "set":
        check_turns(scenario, event.path)
        kind = knob_field(scenario, event.path).metadata["kind"]
        checked(f"{at}.value", kind, event.value)
    elif not isinstance(get(scenario, event.path or "hop"), Hop):
        hops = " or ".join(f'"hop.{i}"' for i in range(len(get(scenario, "hop"))))
        allowed = f'{hops} where the action is "{event.action}"'
        raise refusal(f"{at}.path", event.path, allowed)
    elif event.value is not None and event.value not in _WORDS[event.action]:
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
}


def _how(action: str) -> Validator:
    """Seconds, or one of the action's words."""
    span = seconds(endless=False)
    words = "".join(f', or "{word}"' for word in _WORDS[action])
    return Validator(span.allowed + words, span.accept)

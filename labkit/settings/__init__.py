"""What an experiment is: its settings, checked, as tables, paths, TOML and tokens."""

from __future__ import annotations

from labkit.settings.groups import (
    Event,
    Hop,
    LabSettings,
    Link,
    Origin,
    Pool,
    Retry,
    Server,
    Traffic,
)
from labkit.settings.scenario import Scenario, knob_at, knobs
from labkit.settings.validators import SettingsError

__all__ = [
    "Event",
    "Hop",
    "LabSettings",
    "Link",
    "Origin",
    "Pool",
    "Retry",
    "Scenario",
    "Server",
    "SettingsError",
    "Traffic",
    "knob_at",
    "knobs",
]

"""What an experiment is: its settings, checked, as tables, paths, TOML and tokens."""

from __future__ import annotations

from labkit.settings.scenario import (
    Event,
    Hop,
    LabSettings,
    Link,
    Origin,
    Pool,
    Retry,
    Scenario,
    Server,
    SettingsError,
    Traffic,
    knob_at,
    knobs,
)

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

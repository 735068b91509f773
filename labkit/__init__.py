"""labkit: see, measure and mend what HTTP/1.1 connections do behind a proxy.

    >>> import labkit
    >>> run = labkit.run(labkit.Scenario.from_toml("alb-envoy-node.toml"))
    >>> print(run.summary())

The package itself is light: what needs aiohttp, matplotlib or ipywidgets is
imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.clock import Deadlock, HorizonPassed, NotSupported, VirtualLoop
    from labkit.doctor import explain
    from labkit.field import FieldError
    from labkit.gaps import measure_gaps
    from labkit.lab import Lab, Run, arun, run, run_many
    from labkit.settings import (
        Hop,
        Link,
        Origin,
        Pool,
        Retry,
        Scenario,
        Server,
        SettingsError,
        Traffic,
    )
    from labkit.sweep import Table, sweep
    from labkit.widgets import Panel, panel
    from labkit.wire import ConnectionLife, Exchange, Trace, WireEvent

__version__ = "0.1.0"

_HOME = {
    **dict.fromkeys(("Deadlock", "HorizonPassed", "NotSupported"), "labkit.clock"),
    "VirtualLoop": "labkit.clock",
    "explain": "labkit.doctor",
    "FieldError": "labkit.field.trouble",
    **dict.fromkeys(("Lab", "Run", "arun", "run", "run_many"), "labkit.lab"),
    **dict.fromkeys(("Hop", "Link", "Origin", "Pool", "Retry"), "labkit.settings"),
    **dict.fromkeys(("Scenario", "Server", "Traffic"), "labkit.settings"),
    "SettingsError": "labkit.settings",
    **dict.fromkeys(("ConnectionLife", "Exchange", "Trace"), "labkit.wire"),
    "WireEvent": "labkit.wire",
    **dict.fromkeys(("Panel", "panel"), "labkit.widgets"),
    "measure_gaps": "labkit.gaps",
    "Table": "labkit.sweep",
}

# Found without an import of their own: labkit.accesslogs.read(...).
_ROOMS = ("accesslogs", "field", "presets", "sweep")

__all__ = [
    "ConnectionLife",
    "Deadlock",
    "Exchange",
    "FieldError",
    "Hop",
    "HorizonPassed",
    "Lab",
    "Link",
    "NotSupported",
    "Origin",
    "Panel",
    "Pool",
    "Retry",
    "Run",
    "Scenario",
    "Server",
    "SettingsError",
    "Table",
    "Trace",
    "Traffic",
    "VirtualLoop",
    "WireEvent",
    "arun",
    "explain",
    "measure_gaps",
    "panel",
    "run",
    "run_many",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"labkit.{name}")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'labkit' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

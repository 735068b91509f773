"""labkit: see, measure and mend what HTTP/1.1 connections do behind a proxy.

    >>> import labkit
    >>> print(labkit.run("alb-envoy-node").summary())
    >>> mended = labkit.scenario("alb-envoy-node").replace("hop.1.pool.idle_timeout", 4)

The package itself is light: what needs aiohttp, matplotlib or ipywidgets is
imported when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.clock import Deadlock, HorizonPassed, NotSupported, VirtualLoop
    from labkit.experiments.gaps import measure_gaps
    from labkit.lab import Lab, Run, arun, run, run_many
    from labkit.proxies import FieldError
    from labkit.records.trace import ConnectionLife, Exchange, Trace, WireEvent
    from labkit.reference.errors import explain
    from labkit.resources import scenario
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
    from labkit.tables import tabular
    from labkit.widgets import Panel, guess, panel

__version__ = "0.1.0"

_HOME = {
    **dict.fromkeys(("Deadlock", "HorizonPassed", "NotSupported"), "labkit.clock"),
    "VirtualLoop": "labkit.clock",
    "explain": "labkit.reference.errors",
    "scenario": "labkit.resources",
    "FieldError": "labkit.proxies.errors",
    **dict.fromkeys(("Lab", "Run", "arun", "run", "run_many"), "labkit.lab"),
    **dict.fromkeys(("Hop", "Link", "Origin", "Pool", "Retry"), "labkit.settings"),
    **dict.fromkeys(("Scenario", "Server", "Traffic"), "labkit.settings"),
    "SettingsError": "labkit.settings",
    **dict.fromkeys(("ConnectionLife", "Exchange", "Trace"), "labkit.records.trace"),
    "WireEvent": "labkit.records.trace",
    **dict.fromkeys(("Panel", "guess", "panel"), "labkit.widgets"),
    "measure_gaps": "labkit.experiments.gaps",
    "Table": "labkit.sweep",
    "tabular": "labkit.tables",
}

# Found without an import of their own: labkit.accesslogs.read(...).
_ROOMS = {
    "accesslogs": "labkit.accesslogs",
    "catalogue": "labkit.reference.catalogue",
    "proxies": "labkit.proxies",
    "sweep": "labkit.sweep",
}

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
    "guess",
    "measure_gaps",
    "panel",
    "run",
    "run_many",
    "scenario",
    "sweep",
    "tabular",
]


# In a notebook an error is one line.
if "IPython" in sys.modules:
    from labkit import interactive

    interactive.register()


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(_ROOMS[name])
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'labkit' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

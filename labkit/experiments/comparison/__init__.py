"""One scenario, answered five times.

    >>> made = compare(Scenario.from_toml("upstream-race.toml"))
    >>> print(made.table())

A formula, a million requests of the model, the lab in virtual time, our proxy on real
sockets and a real Envoy: what they say is compared, each with each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from labkit.experiments.comparison.columns import REQUESTS, column
from labkit.experiments.comparison.record import LEVEL, Agreement, Comparison
from labkit.records.estimate import COLUMNS, Estimate
from labkit.settings import Scenario, SettingsError

__all__ = [
    "COLUMNS",
    "LEVEL",
    "REQUESTS",
    "Agreement",
    "Comparison",
    "Estimate",
    "climb",
]


def _nobody(rung: Estimate) -> None:
    """Nobody waits for single columns."""


def compare(
    scenario: Scenario,
    columns: Sequence[str] = COLUMNS,
    requests: int | None = None,
    progress: bool = True,
    on_column: Callable[[Estimate], object] = _nobody,
) -> Comparison:
    """Ask every column for the share of failed requests of a scenario.

    ``requests`` are those of "live" and "envoy" (3,000), which take as long as their
    traffic does; "model" and "virtual" take as many, but never fewer than a million
    and 20,000. ``on_column`` is called with each as soon as it is there. SettingsError
    for a column that there is not; what a column cannot do stands in its rung.
    """
    for each in columns:
        if each not in COLUMNS:
            allowed = ", ".join(f'"{name}"' for name in COLUMNS)
            raise SettingsError(f'columns has "{each}"; allowed: {allowed}')
    if not columns or (requests is not None and requests < 1):
        raise SettingsError(
            f"columns has {len(columns)} entries and requests is {requests}; allowed: "
            "at least one of each"
        )
    in_order = [name for name in COLUMNS if name in columns]
    rungs = []
    for name in in_order:
        rungs.append(column(name, scenario, _requests(name, requests), progress))
        on_column(rungs[-1])
    return Comparison(scenario, tuple(rungs))


def _requests(label: str, wanted: int | None) -> int:
    usual = REQUESTS[label]
    if wanted is None:
        return usual
    return wanted if label in ("live", "envoy") else max(usual, wanted)

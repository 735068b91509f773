"""What a sweep found: one row per point, tidy, on its way to a file or a figure."""

from __future__ import annotations

import csv
import importlib
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.records.counts import RatePoint, RateSeries
from labkit.settings import SettingsError
from labkit.settings.files import replaced
from labkit.sweep.plan import Plan, Point, told
from labkit.tables import Tabular
from labkit.theory import wilson

if TYPE_CHECKING:
    from labkit.model.grids import Grid
    from labkit.sweep.jobs import Counts

_SHOWN = 20


class Table:
    """The finished points of a sweep, in the order of its plan.

    Columns: the paths that were varied, then ``requests``, ``failed``,
    ``error_rate``, ``low`` and ``high`` (Wilson's 95 % interval), ``duplicates``,
    for every hop ``hop.N.races``, ``hop.N.retries`` and ``hop.N.opened``, then
    ``lab_seconds`` and ``seed``, with which ``labkit.run`` repeats the row.
    """

    def __init__(self, plan: Plan, counts: dict[int, Counts]) -> None:
        self._plan = plan
        done = [point for point in plan.points if point.index in counts]
        self.rows = [_row(plan, point, counts[point.index]) for point in done]
        #: How many rows there are when all points are done.
        self.wanted = len(plan.points)

    @property
    def paths(self) -> tuple[str, ...]:
        """The knobs that were varied."""
        return self._plan.paths

    @property
    def engine(self) -> str:
        """Which engine ran the points."""
        return self._plan.engine

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, the same if no point is done yet."""
        hops = range(len(self._plan.scenario.hops))
        counts = [f"hop.{hop}.{what}" for hop in hops for what in _PER_HOP]
        names = (*self.paths, *_COUNTS, *counts, "lab_seconds", "seed")
        return tuple(dict.fromkeys(names))  # the seed may be what is varied

    @property
    def is_complete(self) -> bool:
        """Are all points done?"""
        return len(self.rows) == self.wanted

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> list[Any]:
        """A column, row by row; a path may be spelt with ``hops``."""
        name = f"hop.{name[5:]}" if name.startswith("hops.") else name
        if name not in self.columns:
            raise SettingsError(f"the table has no column {name!r}; it has {self._few}")
        return [row[name] for row in self.rows]

    @property
    def _few(self) -> str:
        return ", ".join(self.columns)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        return (self.columns, self.rows) == (other.columns, other.rows)

    __hash__ = None  # type: ignore[assignment]

    # -- for figures ---------------------------------------------------------------

    def series(self, path: str | None = None, label: str | None = None) -> RateSeries:
        """Failures along one knob, in rising order; other knobs must stand still.

        ``path`` may be left out where one knob was varied; ``label`` is the
        engine's name if not given.
        """
        if path is None and len(self.paths) > 1:
            raise SettingsError(f"which of {', '.join(self.paths)}? name one path")
        path = path or self.paths[0]
        along = _numbers(path, self[path])
        if len(set(along)) < len(along):
            raise SettingsError(
                f"other knobs than {path} were varied too; keep one row per value"
            )
        counts = zip(along, self["requests"], self["failed"], strict=True)
        points = tuple(RatePoint(*each) for each in sorted(counts))
        return RateSeries(label or self.engine, points)

    def grid(self) -> Grid:
        """The counts as arrays, one axis per path, for a heat map.

        SettingsError unless the rows are all combinations of numbers.
        """
        import numpy as np

        from labkit.model.grids import Grid

        axes = [sorted(set(_numbers(path, self[path]))) for path in self.paths]
        shape = tuple(map(len, axes))
        if math.prod(shape) != len(self) or not self.rows:
            of = " x ".join(map(str, shape))
            raise SettingsError(
                f"the table has {len(self)} rows, a grid of {of} needs all"
            )
        order = sorted(self.rows, key=lambda row: [row[path] for path in self.paths])

        def array(name: str) -> Any:
            return np.array([row[name] for row in order], np.int64).reshape(shape)

        races = np.stack([array(name) for name in _columns(self._plan, "races")])
        values = tuple(tuple(map(float, axis)) for axis in axes)
        requests, failed = array("requests"), array("failed")
        return Grid(self.paths, values, requests, failed, array("duplicates"), races)

    def where(self, path: str, value: Any) -> Table:
        """The rows in which a column has this value, as a table of their own."""
        column = self[path]
        part = Table(self._plan, {})
        pairs = zip(self.rows, column, strict=True)
        part.rows = [row for row, found in pairs if found == value]
        part.wanted = len(part.rows)
        return part

    # -- files ---------------------------------------------------------------------

    def to_csv(self, path: Path | str) -> Path:
        """Write the rows as CSV, numbers in full; returns the path."""
        with (
            replaced(path) as draft,
            draft.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(self.columns)
            for row in self.rows:
                writer.writerow([_cell(row[name]) for name in self.columns])
        return Path(path)

    def to_parquet(self, path: Path | str) -> Path:
        """Write the rows as Parquet; SettingsError where pyarrow is missing."""
        try:
            pyarrow = importlib.import_module("pyarrow")
            parquet = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise SettingsError(
                "Parquet needs pyarrow: "
                "pip install 'http-connection-lab[parquet]', or take CSV"
            ) from None
        columns = {name: [_flat(v) for v in self[name]] for name in self.columns}
        with replaced(path) as draft:
            parquet.write_table(pyarrow.table(columns), str(draft))
        return Path(path)

    def to_json(self) -> dict[str, Any]:
        """The object that ``labkit sweep --json`` prints; no limit is "inf"."""
        plan = self._plan
        return {
            "scenario": plan.scenario.name,
            "engine": plan.engine,
            "proxy": plan.proxy,
            "seed": plan.scenario.seed,
            "paths": list(plan.paths),
            "points": self.wanted,
            "complete": self.is_complete,
            "rows": [{k: _jsonable(v) for k, v in row.items()} for row in self.rows],
        }

    # -- for people ------------------------------------------------------------------

    def summary(self) -> str:
        """The sweep in one sentence, which is also the alt text of its pictures."""
        plan = self._plan
        name = plan.scenario.name or " - ".join(plan.scenario.parties)
        real = "" if plan.proxy == "labkit" else f" with real {plan.proxy}"
        over = " x ".join(plan.paths)
        return f"{name}, {plan.engine} engine{real}, {over}: {self._found()}."

    def _found(self) -> str:
        done = f"{len(self)} of {self.wanted} points"
        if not self.rows:
            return f"{done} done"
        # Of equal rates the one with more behind it.
        best = min(self.rows, key=lambda row: (row["error_rate"], -row["requests"]))
        worst = max(self.rows, key=lambda row: (row["error_rate"], row["requests"]))
        if worst["failed"] == 0:
            return f"{done}, nothing failed"
        return f"{done}, from {self._rate(best)} to {self._rate(worst)}"

    def _rate(self, row: dict[str, Any]) -> str:
        at = told(self.paths, tuple(row[path] for path in self.paths))
        return f"{row['failed']} of {row['requests']} failed at {at}"

    def to_text(self, most: int | None = None) -> str:
        """The rows as lines for a terminal."""
        return _with_rest(self._tabular(most).to_text(), len(self), most, "\n{}")

    def _tabular(self, most: int | None) -> Tabular:
        names = self._for_people()
        rows = (tuple(_cut(row[name]) for name in names) for row in self.rows[:most])
        return Tabular(tuple(names), tuple(rows))

    def _for_people(self) -> list[str]:
        """The columns worth their room: of the counts those that are not all zero."""
        always = {*self.paths, "requests", "failed", "error_rate", "low", "high"}
        never = {"lab_seconds", "seed", *_columns(self._plan, "opened")} - always
        return [
            name
            for name in self.columns
            if name in always or (name not in never and any(self[name]))
        ]

    def __repr__(self) -> str:
        return f"{self.summary()}\n{self.to_text(_SHOWN)}"

    def _repr_html_(self) -> str:
        told = replace(self._tabular(_SHOWN), caption=self.summary())
        return _with_rest(told._repr_html_(), len(self), _SHOWN, "<p>{}</p>")


_COUNTS = ("requests", "failed", "error_rate", "low", "high", "duplicates")
_PER_HOP = ("races", "retries", "opened")


def _numbers(path: str, values: list[Any]) -> list[float]:
    for value in values:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise SettingsError(f"{path} takes {value!r}, which is no number")
    return values


def _columns(plan: Plan, what: str) -> list[str]:
    return [f"hop.{hop}.{what}" for hop in range(len(plan.scenario.hops))]


def _row(plan: Plan, point: Point, counts: Counts) -> dict[str, Any]:
    low, high = wilson(counts.failed, counts.requests)
    rate = counts.failed / counts.requests if counts.requests else math.nan
    row = dict(zip(plan.paths, point.values, strict=True))
    row |= {"requests": counts.requests, "failed": counts.failed, "error_rate": rate}
    row |= {"low": low, "high": high, "duplicates": counts.duplicates}
    for hop in range(len(counts.races)):
        row |= {f"hop.{hop}.{what}": getattr(counts, what)[hop] for what in _PER_HOP}
    return row | {"lab_seconds": counts.lab_seconds, "seed": point.seed}


def _flat(value: Any) -> Any:
    """Lists and tables as text: a cell holds one thing."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return json.dumps(value)


def _cell(value: Any) -> Any:
    return repr(value) if isinstance(value, float) else _flat(value)


def _jsonable(value: Any) -> Any:
    endless = isinstance(value, float) and not math.isfinite(value)
    return str(value) if endless else value


def _cut(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(_flat(value))


def _with_rest(text: str, rows: int, most: int | None, form: str) -> str:
    """A text and, if it shows not all rows, how many it leaves out."""
    hidden = 0 if most is None else max(0, rows - most)
    return text + form.format(f"... {hidden} more rows") if hidden else text

"""A comparison: what the columns said of a scenario, and whether they say the same."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from labkit.records.estimate import Estimate
from labkit.settings import Scenario
from labkit.theory import duration
from labkit.theory.proportions import holm, in_range, same_share
from labkit.theory.text import percent

# Of a hundred comparisons whose columns all say the same, one may say that they do not.
LEVEL = 0.01


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two columns, the p-value of their difference, and whether it counts as one.

    ``tells`` is false where the bounds of one are too wide to say anything of the
    other (``Estimate.tells_of``): then not to differ is no agreement.
    """

    one: str
    other: str
    p: float
    differs: bool
    tells: bool = True


@dataclass(frozen=True)
class Comparison:
    """One scenario and a rung for each column; ``command`` made it."""

    scenario: Scenario
    rungs: tuple[Estimate, ...]
    command: str = ""

    @cached_property
    def comparisons(self) -> tuple[Agreement, ...]:
        """Every two columns that speak: two-proportion tests, and of a count against
        a formula the score test; together at LEVEL, by Holm."""
        speaking = [rung for rung in self.rungs if not rung.refused]
        pairs = list(itertools.combinations(speaking, 2))
        ps = [_p(one, other) for one, other in pairs]
        return tuple(
            Agreement(one.label, other.label, p, differs, _tell(one, other))
            for (one, other), p, differs in zip(pairs, ps, holm(ps, LEVEL), strict=True)
        )

    def differs_from(self, label: str) -> list[str]:
        """The columns from which this one differs."""
        return [
            other
            for each in self.comparisons
            for here, other in ((each.one, each.other), (each.other, each.one))
            if each.differs and here == label
        ]

    @property
    def agrees(self) -> bool:
        """Do all columns that tell anything say the same?"""
        return not any(each.differs for each in self.comparisons)

    def cannot_tell(self, label: str) -> bool:
        """Is this column a formula too vague to agree with all that it does not
        differ from?"""
        own = [each for each in self.comparisons if label in (each.one, each.other)]
        is_vague = any(not each.tells for each in own)
        return is_vague and self._is_formula(label) and not self.differs_from(label)

    def _is_formula(self, label: str) -> bool:
        return any(r.label == label and r.said is not None for r in self.rungs)

    # -- in words ------------------------------------------------------------------

    def verdict(self) -> str:
        """One sentence: who agrees, or who differs from whom."""
        speaking = [rung.name for rung in self._telling()]
        vague = [_vague(rung) for rung in self.rungs if self.cannot_tell(rung.label)]
        if len(speaking) < 2:
            who = speaking[0] if speaking else "no column"
            alone = f"{who} speaks: nothing to compare"
            return _sentence("; ".join([alone, *vague]))
        if self.agrees:
            n = math.comb(len(speaking), 2)
            tests = "one test" if n == 1 else f"{n} tests together, by Holm,"
            agree = f"{_listed(speaking)} agree: {tests} at {100 * LEVEL:g} %"
            return _sentence("; ".join([agree, *vague]))
        apart = [
            f"{self._name(each.one)} and {self._name(each.other)} differ "
            f"(p = {each.p:.2g})"
            for each in self.comparisons
            if each.differs
        ]
        return _sentence("; ".join(apart))

    def headline(self) -> str:
        """The finding, as a figure has it above itself."""
        speaking = self._telling()
        if not self.agrees or len(speaking) < 2:
            return self.verdict()
        who = _sentence(_listed([rung.name for rung in speaking]))
        first = speaking[0]
        if not any(rung.share for rung in speaking):
            return f"{who} agree: no request fails"
        about = "" if first.is_exact else "about "
        return f"{who} agree: {about}{percent(first.share)} fail"

    def _telling(self) -> list[Estimate]:
        """The columns that say something."""
        return [
            rung
            for rung in self.rungs
            if not rung.refused and not self.cannot_tell(rung.label)
        ]

    def _name(self, label: str) -> str:
        return next(rung.name for rung in self.rungs if rung.label == label)

    def table(self) -> str:
        """All columns, one a line, with what they cost."""
        head = ("", "failed", "95 % interval", "wall", "requests/s", "agrees")
        rows = [head, *(self._row(rung) for rung in self.rungs if not rung.refused)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)
            ).rstrip()
            for row in rows
        ]
        refused = [rung for rung in self.rungs if rung.refused]
        lines += [f"{rung.name}  {rung.told()}" for rung in refused]
        return "\n".join([*lines, "", self.closing()])

    def closing(self) -> str:
        """Who agrees with whom, and how the columns came about."""
        notes = [f"{rung.name}: {rung.note}" for rung in self.rungs if rung.note]
        return "\n".join([self.verdict(), *notes])

    def _row(self, rung: Estimate) -> tuple[str, ...]:
        low, high = rung.interval
        span = "exact" if rung.is_exact else f"{percent(low)} to {percent(high)}"
        others = list(map(self._name, self.differs_from(rung.label)))
        speed = "-" if math.isnan(rung.speed) else f"{rung.speed:,.0f}"
        return (
            rung.name,
            rung.told(),
            span,
            duration(rung.wall_seconds) if rung.requests else "-",
            speed,
            f"not with {_listed(others)}" if others else self._unopposed(rung),
        )

    def _unopposed(self, rung: Estimate) -> str:
        return "cannot tell" if self.cannot_tell(rung.label) else "yes"

    # -- as data -------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """One object: the scenario as TOML, the columns, the tests, the verdict."""
        return {
            "scenario": self.scenario.name,
            "command": self.command,
            "columns": [self._column(rung) for rung in self.rungs],
            "comparisons": [
                {
                    "columns": [c.one, c.other],
                    "p": c.p,
                    "differs": c.differs,
                    "tells": c.tells,
                }
                for c in self.comparisons
            ],
            "level": LEVEL,
            "verdict": self.verdict(),
            "settings": self.scenario.to_toml(),
        }

    def _column(self, rung: Estimate) -> dict[str, Any]:
        told = {"share": rung.share, "requests_per_second": rung.speed}
        known = {name: None if math.isnan(n) else n for name, n in told.items()}
        interval = None if rung.refused else list(rung.interval)
        return {**rung.to_json(), **known, "interval": interval}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Comparison:
        """What :meth:`to_json` made."""
        rungs = [Estimate.from_json(row) for row in told["columns"]]
        scenario = Scenario.from_toml(told["settings"])
        return cls(scenario, tuple(rungs), told["command"])

    @classmethod
    def read(cls, path: Path | str) -> Comparison:
        """From a file, as ``labkit compare --json`` prints it."""
        return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))

    def __repr__(self) -> str:
        return f"<Comparison: {self.verdict()}>"


def _p(one: Estimate, other: Estimate) -> float:
    for formula, count in ((one, other), (other, one)):
        if formula.said is not None:
            return in_range(count.failed, count.requests, *formula.interval)
    return same_share(one.failed, one.requests, other.failed, other.requests)


def _tell(one: Estimate, other: Estimate) -> bool:
    return one.tells_of(other) and other.tells_of(one)


def _vague(rung: Estimate) -> str:
    """Why a column that does not differ does not agree either."""
    low, high = map(percent, rung.interval)
    return f"{rung.name} cannot tell: {low} to {high} is too wide"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)

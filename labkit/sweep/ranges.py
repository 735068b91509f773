"""The values of a knob as one word: ``START:STOP:STEPS``, ``...log``, or ``1,2,5``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.settings import SettingsError, toml
from labkit.settings.validators import one_line, shown
from labkit.sweep.plan import LIMIT

_NUMBER = r"[+-]?(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER}):(-?\d{{1,12}})(log)?")

# What is seen of a step: 0.1 + 0.2 is meant to be 0.3.
_DIGITS = 12


class Steps(Sequence[float]):
    """``count`` values from ``start`` to ``stop``, both included, evenly apart.

    With ``log`` it is their ratio that is even. Nothing is stored: the length of a
    thousand million steps can be asked for, to refuse them.
    """

    def __init__(
        self, start: float, stop: float, count: int, log: bool = False
    ) -> None:
        self._start, self._stop, self._count, self._log = start, stop, count, log

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[n] for n in range(*at.indices(self._count))]
        if not -self._count <= at < self._count:
            raise IndexError(at)
        return self._value(at % self._count)

    def _value(self, at: int) -> float:
        if self._count == 1:
            return self._start
        along = at / (self._count - 1)
        if self._log:
            value = self._start * (self._stop / self._start) ** along
        else:
            value = self._start + (self._stop - self._start) * along
        return float(f"{value:.{_DIGITS}g}")


def parsed(vary: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """Every ``PATH=VALUES`` of a command line, as what a sweep varies."""
    if not vary:
        raise SettingsError(f"nothing is varied: --vary {_FORMS}")
    axes: dict[str, Sequence[Any]] = {}
    for word in vary:
        path, equals, text = word.partition("=")
        path = path.strip()
        if not equals or not text.strip():
            raise SettingsError(f"--vary {word!r}: expected {_FORMS}")
        if path in axes:
            raise SettingsError(f"--vary {path} is given twice; allowed: once")
        axes[path] = values(path, text.strip())
    return axes


_FORMS = "PATH=START:STOP:STEPS, PATH=START:STOP:STEPSlog or PATH=VALUE,VALUE"


def values(path: str, text: str) -> Sequence[Any]:
    """The values of one word; SettingsError names ``path`` and what is wrong."""
    asked = _RANGE.fullmatch(text)
    if asked:
        start, stop, count, log = asked.groups()
        steps = Steps(float(start), float(stop), int(count), bool(log))
        _check(f"--vary {path}={text}", float(start), float(stop), int(count), steps)
        return steps
    return _listed(path, text)


def _check(what: str, start: float, stop: float, count: int, steps: Steps) -> None:
    if count < 1:
        raise SettingsError(f"{what}: {count} steps; allowed: 1 to {LIMIT:,}")
    if start > stop:
        raise SettingsError(f"{what}: {start:g} is above {stop:g}; START comes first")
    if count > 1 and start == stop:
        raise SettingsError(f"{what}: START and STOP are the same, so STEPS is 1")
    if count == 1 and start < stop:
        raise SettingsError(
            f"{what}: one step does not lead from {start:g} to {stop:g}; at least 2"
        )
    if what.endswith("log") and start <= 0:
        raise SettingsError(f"{what}: log steps begin above 0")


def _listed(path: str, text: str) -> Sequence[Any]:
    try:
        # The whole word is one list, whatever brackets and lines are in it.
        listed = toml.value(f"[{text}]")
    except SettingsError:
        words = all(word.strip().isidentifier() for word in text.split(","))
        quoted = ",".join(f'"{word.strip()}"' for word in text.split(","))
        hint = f"; words need quotes: '{path}={quoted}'" if words else ""
        form = "" if words else f"; expected {_FORMS}"
        raise SettingsError(
            f"--vary {one_line(path, 60)}: {shown(text)} is neither a range nor "
            f"TOML values{hint}{form}"
        ) from None
    return list(listed)

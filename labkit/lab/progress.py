"""A progress bar for runs that take long enough to need one."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

# Whether a bar is shown, or who hears how many more outcomes there are.
Shown = bool | Callable[[int], object]

# A run that is over sooner shows nothing at all.
SHOWN_AFTER = 1.0
_STEPS = 200


class Progress:
    """Counts outcomes; shows a bar once the run has lasted a second.

    ``in_real_time``: there is a bar at once, and every outcome moves it.
    """

    def __init__(
        self,
        total: int,
        shown: Shown = True,
        unit: str = "request",
        in_real_time: bool = False,
    ) -> None:
        self._total = total
        self._unit = unit
        self._shown = shown
        self._stride = 1 if in_real_time else max(1, total // _STEPS)
        self._delay = 0.0 if in_real_time else SHOWN_AFTER
        self._count = 0
        self._bar: Any = None

    def step(self) -> None:
        """One more outcome."""
        self._count += 1
        if self._bar is not None and self._count % self._stride == 0:
            self._bar.update(self._stride)

    def advance(self, count: int) -> None:
        """So many more outcomes at once."""
        if self._bar is not None:
            self._bar.update(count)

    def __enter__(self) -> Progress:
        if callable(self._shown):
            self._bar, self._stride = _Hearer(self._shown), 1
        elif self._shown:
            self._bar = _bar(self._total, self._unit, self._delay)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()


class _Hearer:
    """Somebody who draws a bar of their own."""

    def __init__(self, update: Callable[[int], object]) -> None:
        self.update = update

    def close(self) -> None:
        """Nothing was opened."""


def _bar(total: int, unit: str, delay: float) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:  # in a browser edition nobody may have it
        return None
    return tqdm(total=total, unit=unit, delay=delay, leave=False)

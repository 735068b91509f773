"""Independent users: each sends, waits for the outcome, thinks, and sends again."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator

from labkit.settings import Traffic


class User:
    """One of them: ``send`` sends its next requests, ``think`` says how long it waits.

    ``outstanding`` counts what it has sent and not heard of yet.
    """

    __slots__ = ("_send", "_think", "outstanding", "timer")

    def __init__(self, send: Callable[[User], None], think: Callable[[], float]):
        self._send = send
        self._think = think
        self.outstanding = 0
        self.timer: asyncio.Handle | None = None

    def __repr__(self) -> str:
        return f"<User, {self.outstanding} requests under way>"

    def go_on(self) -> None:
        """Think, then send."""
        loop = asyncio.get_running_loop()
        self.timer = loop.call_later(self._think(), self.act)

    def act(self) -> None:
        """Send now."""
        self.timer = None
        self._send(self)

    def stop(self) -> None:
        """Send nothing more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class ThinkTimes:
    """How long a user thinks: the gaps in turn, or by chance 1/rate on average.

    ``settings`` are asked anew each time: a turned knob holds from the next time on.
    """

    def __init__(self, settings: Callable[[], Traffic], chance: random.Random) -> None:
        self._settings = settings
        self._chance = chance
        self._gaps: tuple[float, ...] = ()
        self._turns: Iterator[float] = iter(())

    def __call__(self) -> float:
        settings = self._settings()
        if not settings.gaps:
            return round(self._chance.expovariate(settings.rate), 9)
        if settings.gaps != self._gaps:
            self._gaps = settings.gaps
            self._turns = itertools.cycle(settings.gaps)
        return next(self._turns)

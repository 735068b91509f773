"""One setting of a panel on real sockets, with its progress in figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from labkit.lab import arun
from labkit.widgets.model import PanelModel
from labkit.widgets.shown import Shown

Told = dict[str, Any]
_TICK = 0.1


class LiveRun:
    """A trial of the setting that a panel has now; ``tell`` hears how far it is."""

    def __init__(
        self, model: PanelModel, shown: Shown | None, tell: Callable[[Told], None]
    ) -> None:
        self._model = model
        self._beside = shown
        self._tell = tell
        self._answered = 0

    async def run(self) -> tuple[Shown, str]:
        """The picture with the run in it, and both worlds in one sentence."""
        model = self._model
        beside = self._beside
        if beside is None or beside.scenario != model.scenario:
            beside = model.preview()
        part = model.view.live_part(model.scenario)
        seconds = model.view.seconds(part, beside.counts)
        ticking = asyncio.create_task(self._tick(part.traffic.requests, seconds))
        try:
            done = await arun(part, "live", progress=self._count, trace=True)
        finally:
            ticking.cancel()
        compared = model.view.compared(model.scenario, beside.counts, done)
        return model.draw(done, beside), compared

    def _count(self, more: int) -> None:
        self._answered += more

    async def _tick(self, requests: int, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            passed = loop.time() - began
            self._tell(
                {
                    "share": min(1.0, passed / max(seconds, 0.1)),
                    "text": f"{self._answered} of {requests} requests, "
                    f"{passed:.0f} of {seconds:.0f} s",
                }
            )
            await asyncio.sleep(_TICK)

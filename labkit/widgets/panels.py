"""The panel as widgets: sliders, presets, the picture, a button for real sockets."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakSet

import ipywidgets

from labkit.figures.paper import metrics
from labkit.figures.paper.picture import described
from labkit.figures.paper.style import MM_PER_INCH
from labkit.lab import arun
from labkit.settings import Scenario, SettingsError
from labkit.widgets.model import PanelModel, Shown, Slider
from labkit.widgets.pictures import Picture, View

# A slider sends a message for every step. Those that come while a picture is
# drawn wait in line; so short a pause lets them all in, and the last one counts.
_SETTLE = 0.01
# A slider that has not moved for so long is at rest: time for the picture in full.
_REST = 0.35
# Between two bits of that work the kernel takes in what came meanwhile.
_BREATH = 0.005
_TICK = 0.1
# As wide as there is room, up to the natural size of a picture.
_FLUID = {"width": "100%", "max_width": "701px"}
_PLAIN = "start"
# Where a panel is narrow, each slider stands below its name.
_STYLE = """<style>
.labkit-panel { container-type: inline-size }
@container (max-width: 600px) {
  .labkit-panel .widget-slider { flex-wrap: wrap; height: auto }
  .labkit-panel .widget-slider .widget-label {
    width: 100% !important; text-align: left
  }
  .labkit-panel .widget-hbox { flex-wrap: wrap }
}
</style>"""
_open: WeakSet[Panel] = WeakSet()


def panel(
    scenario: Scenario,
    *knobs: str,
    picture: str | Picture | View = "sequence",
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Panel:
    """Sliders for one to three knobs of a scenario, and the picture that follows.

    ``picture`` is "sequence", "lifelines", "outcomes" or a function of a run and
    ``ax``, for one traced run; or "heatmap", "rates", "hump", "margins": what theory
    and model compute, coarse while a slider moves and in full when it rests.
    ``presets`` maps names to settings by path. SettingsError for what is no knob.
    """
    return Panel(PanelModel(scenario, knobs, picture, presets or {}, labels or {}))


class Panel(ipywidgets.VBox):  # type: ignore[misc]
    """A panel on the screen; ``model`` is all that it knows.

    ``close()`` ends a live run that is under way and takes the widgets away.
    """

    def __init__(self, model: PanelModel) -> None:
        for other in list(_open):
            other.cancel()
        _open.add(self)
        self.model = model
        self._task: asyncio.Task[None] | None = None
        self._refining: asyncio.Task[None] | None = None
        self._scheduled = False
        self._quiet = False
        self._names = f"{max(map(_pixels, (k.label for k in model.knobs))):.0f}px"
        self._sliders = {knob.path: self._slider(knob) for knob in model.knobs}
        self._picture = ipywidgets.HTML(layout=_FLUID)
        self._order = ipywidgets.HTML()
        self._told = ipywidgets.HTML()
        self._live_told = ipywidgets.HTML()
        self._make_buttons()
        self._shown = self._redraw()
        self._run.disabled = not model.view.lives
        rows = [ipywidgets.HTML(_STYLE, layout={"display": "none"}), *self._rows()]
        super().__init__(rows, layout={"width": "100%", "max_width": "720px"})
        self.add_class("labkit-panel")

    # -- building -------------------------------------------------------------------

    def _slider(self, knob: Slider) -> ipywidgets.SelectionSlider:
        slider = ipywidgets.SelectionSlider(
            options=knob.options,
            value=knob.nearest(knob.start),
            description=knob.label,
            continuous_update=True,
            style={"description_width": self._names},
            layout=_FLUID,
        )
        slider.observe(lambda change: self._turn(knob.path, change["new"]), "value")
        return slider

    def _make_buttons(self) -> None:
        self._presets = ipywidgets.Dropdown(
            options=[_PLAIN, *self.model.presets],
            description="preset",
            layout={"width": "280px"},
        )
        self._presets.observe(lambda change: self._preset(change["new"]), "value")
        self._reset = ipywidgets.Button(description="Reset", icon="undo")
        self._reset.on_click(lambda _: self._back())
        self._run = ipywidgets.Button(
            description="Run live", icon="play", tooltip="the same on real sockets"
        )
        self._run.on_click(lambda _: self._start_live())
        self._cancel = ipywidgets.Button(
            description="Cancel", icon="stop", disabled=True
        )
        self._cancel.on_click(lambda _: self.cancel())
        self._progress = ipywidgets.FloatProgress(
            min=0.0, max=1.0, layout={"width": "200px", "visibility": "hidden"}
        )

    def _rows(self) -> list[ipywidgets.Widget]:
        first = [self._reset, self._run, self._cancel, self._progress]
        if self.model.presets:
            first.insert(0, self._presets)
        return [
            *self._sliders.values(),
            ipywidgets.HBox(first),
            self._order,
            self._picture,
            self._told,
            self._live_told,
        ]

    # -- turning --------------------------------------------------------------------

    def _turn(self, path: str, value: float) -> None:
        if self._quiet:
            return
        try:
            self.model.set(path, value)
        except SettingsError as error:
            self._complain(str(error))
            return
        self._soon()

    def _preset(self, name: str) -> None:
        if name == _PLAIN:
            self.model.reset()
        else:
            self.model.apply(name)
        self._follow()

    def _back(self) -> None:
        self._presets.value = _PLAIN
        self.model.reset()
        self._follow()

    def _follow(self) -> None:
        """Move the sliders to where the scenario is."""
        self._quiet = True
        try:
            for knob in self.model.knobs:
                value = knob.nearest(self.model.scenario.get(knob.path))
                self._sliders[knob.path].value = value
        finally:
            self._quiet = False
        self._soon()

    # -- drawing --------------------------------------------------------------------

    def _soon(self) -> None:
        """Draw once the messages that are waiting have been taken in."""
        self._stop_refining()
        if self._scheduled:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._redraw()
            return
        self._scheduled = True
        loop.call_later(_SETTLE, self._preview)

    def _preview(self) -> None:
        """What is known at once; the rest when the slider rests."""
        self._scheduled = False
        if self._draw(self.model.preview) is not None:
            self._stop_refining()
            self._refining = asyncio.get_running_loop().create_task(self._refine())

    async def _refine(self) -> None:
        await asyncio.sleep(_REST)
        try:
            for shown in self.model.refine():
                if shown is not None:
                    self._show(shown)
                await asyncio.sleep(_BREATH)
        except Exception as error:
            self._complain(str(error) or type(error).__name__)

    def _stop_refining(self) -> None:
        if self._refining is not None:
            self._refining.cancel()
            self._refining = None

    def _redraw(self) -> Shown | None:
        return self._draw(self.model.redraw)

    def _draw(self, drawing: Callable[[], Shown]) -> Shown | None:
        try:
            shown = drawing()
        except Exception as error:
            # A learner gets a sentence; whoever wants more has the model.
            self._complain(str(error) or type(error).__name__)
            return None
        self._show(shown)
        self._live_told.value = ""
        return shown

    def _show(self, shown: Shown) -> None:
        self._shown = shown
        self._picture.value = shown.html
        self._order.value = "".join(_line(each) for each in shown.ordering)
        self._told.value = _line(shown.alt)

    def _complain(self, sentence: str) -> None:
        self._told.value = f"<div role='alert'>{html.escape(sentence)}</div>"

    # -- real sockets -----------------------------------------------------------------

    def _start_live(self) -> None:
        """Run the same setting on real sockets, in the kernel's own loop."""
        self.cancel()
        self._stop_refining()
        self._task = asyncio.get_running_loop().create_task(self._live())

    def cancel(self) -> None:
        """End a live run that is under way."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _live(self) -> None:
        model, start = self.model, self.model.scenario
        beside = self._shown
        if beside is None or beside.scenario != start:
            beside = model.preview()
        view = model.view
        part = view.live_part(start)
        self._busy(True)
        ticking = asyncio.create_task(self._tick(view.seconds(part, beside.counts)))
        try:
            done = await arun(part, engine="live", progress=False, trace=True)
            if model.scenario == start:
                self._show(model.draw(done, beside))
            told = view.compared(start, beside.counts, done)
            self._live_told.value = _line(told)
        except asyncio.CancelledError:
            self._live_told.value = _line("The live run was cancelled.")
            raise
        except Exception as error:
            self._live_told.value = _line(f"The live run failed: {error}")
        finally:
            ticking.cancel()
            self._busy(False)

    def _busy(self, busy: bool) -> None:
        self._run.disabled = busy or not self.model.view.lives
        self._cancel.disabled = not busy
        self._progress.value = 0.0
        self._progress.layout.visibility = "visible" if busy else "hidden"

    async def _tick(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            self._progress.value = min(1.0, (loop.time() - began) / max(seconds, 0.1))
            await asyncio.sleep(_TICK)

    # -- ends -------------------------------------------------------------------------

    def close(self) -> None:
        """Take the panel away and end what it started."""
        self.cancel()
        self._stop_refining()
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widgets where a kernel runs, the plain picture where none does."""
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        if self._shown is not None:
            data = {**(data or {}), "image/png": self._shown.png}
            data["text/plain"] = self._shown.alt
            words = described(self._shown.alt, self.model.size)
            metadata = {**metadata, "image/png": words}
        return data, metadata


def _pixels(label: str) -> float:
    """How wide the name of a slider is, in JupyterLab's 13 pixels or a little less."""
    return metrics.width(label, 13.0 / 96.0 * 72.0) / MM_PER_INCH * 96.0 + 8.0


def _line(sentence: str) -> str:
    return f"<div style='line-height:1.5'>{html.escape(sentence)}</div>"

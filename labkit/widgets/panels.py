"""The panel on the screen: it tells the browser what to draw and takes what comes back.

It is one anywidget with a little JavaScript of ours, and not a tree of ipywidgets: a
native slider has a name and a spoken value, where ipywidgets' says the index of its
stop; picture, sliders and sentences change in one message; and the whole is smaller.
Python decides everything (what is allowed, how a value is written, what is safe);
``panel.js`` draws and sends.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakSet

import anywidget
import traitlets

from labkit.settings import Scenario, SettingsError
from labkit.widgets import outputs
from labkit.widgets.live import LiveRun, Told
from labkit.widgets.model import START, PanelModel
from labkit.widgets.pictures import Picture, View
from labkit.widgets.shown import Shown
from labkit.widgets.stops import nearest

# A slider sends a message for every step. Those that come while a picture is
# drawn wait in line; so short a pause lets them all in, and the last one counts.
_SETTLE = 0.01
# A slider that has not moved for so long is at rest: time for the picture in full.
_REST = 0.35
# Between two bits of that work the kernel takes in what came meanwhile.
_BREATH = 0.005
_HERE = Path(__file__).parent
_open: WeakSet[Panel] = WeakSet()


def panel(
    scenario: Scenario,
    *knobs: str,
    picture: str | Picture | View = "sequence",
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Panel:
    """Sliders for one to three knobs of a scenario, and the picture that follows.

    ``picture`` is "sequence", "lifelines", "outcomes", or a function of a run and
    a ``size`` in mm that returns a sheet, or one of a run and ``ax``; or "heatmap",
    "rates", "hump", "margins": what theory and model compute, coarse while a slider
    moves and in full when it rests.
    ``presets`` maps names to settings by path. SettingsError for what is no knob.
    """
    return Panel(PanelModel(scenario, knobs, picture, presets or {}, labels or {}))


class Panel(anywidget.AnyWidget):
    """A panel on the screen; ``model`` is all that it knows.

    ``close()`` ends a live run that is under way and takes the widget away.
    """

    _esm = (_HERE / "panel.js").read_text(encoding="utf-8")
    _css = (_HERE / "panel.css").read_text(encoding="utf-8")
    # What the browser draws; plain data.
    knobs: Any = traitlets.List().tag(sync=True)
    values: Any = traitlets.Dict().tag(sync=True)
    presets: Any = traitlets.Dict().tag(sync=True)
    chips: Any = traitlets.List().tag(sync=True)
    verdicts: Any = traitlets.List().tag(sync=True)
    picture: Any = traitlets.Unicode().tag(sync=True)
    size: Any = traitlets.List().tag(sync=True)
    said: Any = traitlets.Dict().tag(sync=True)
    live: Any = traitlets.Dict().tag(sync=True)

    def __init__(self, model: PanelModel) -> None:
        for other in list(_open):
            other.cancel()
        _open.add(self)
        self.model = model
        self._seen = 0
        self.is_scheduled = False
        self._is_turned = False
        self._refining: asyncio.Task[None] | None = None
        self.live_task: asyncio.Task[None] | None = None
        self.shown: Shown | None = None
        super().__init__(size=list(model.size))
        self.on_msg(lambda _, content, buffers: self.receive(content))
        self._tell_knobs()
        self._redraw()

    # -- what the browser sends -----------------------------------------------------

    def receive(self, sent: Mapping[str, Any]) -> None:
        """Do what a control asks for; a wrong value gets a sentence beside it."""
        self._seen = int(sent.get("number", self._seen))
        action = getattr(self, f"_on_{sent.get('do')}", None)
        if action is None:
            return
        try:
            action(sent)
        except SettingsError as error:
            self._refuse(str(sent.get("path", "")), str(error))

    def _on_set(self, sent: Mapping[str, Any]) -> None:
        """A slider sends the text of its stop, a field whatever was typed."""
        [knob] = [each for each in self.model.knobs if each.path == sent["path"]]
        self.turn(knob.path, knob.read(str(sent["text"])))

    def _on_preset(self, sent: Mapping[str, Any]) -> None:
        self.model.apply(str(sent["name"]))
        self._moved()

    def _on_drop(self, sent: Mapping[str, Any]) -> None:
        self.model.take_off(str(sent["path"]))
        self._moved()

    def _on_reset(self, sent: Mapping[str, Any]) -> None:
        self.model.reset()
        self._moved()

    def _on_live(self, sent: Mapping[str, Any]) -> None:
        self.start_live()

    def _on_cancel(self, sent: Mapping[str, Any]) -> None:
        self.cancel()

    def turn(self, path: str, value: float) -> None:
        """Turn a knob; SettingsError, and nothing is changed, if it is refused."""
        self.model.set(path, value)
        self._moved(turned=True)

    def _moved(self, turned: bool = False) -> None:
        self._is_turned = turned and self.live_task is None
        if self.live_task is not None:
            self.cancel()
            self._say("The live run was cancelled, for a control moved.")
        else:
            self._say("")
        self._soon()

    # -- drawing --------------------------------------------------------------------

    def _soon(self) -> None:
        """Draw once the messages that are waiting have been taken in."""
        self.stop_refining()
        if self.is_scheduled:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._redraw()
            return
        self.is_scheduled = True
        loop.call_later(_SETTLE, self._preview)

    def _preview(self) -> None:
        """What is known at once; the rest when the slider rests."""
        self.is_scheduled = False
        before = self.picture
        if self._draw(self.model.preview) is not None:
            if self.picture == before and self._is_turned:
                self._say("Nothing in the picture changes.")
            self._refining = asyncio.get_running_loop().create_task(self._refine())

    async def _refine(self) -> None:
        await asyncio.sleep(_REST)
        self.model.knobs = self.model.controls()
        self._tell_knobs()
        self._tell_values()
        try:
            for shown in self.model.refine():
                if shown is not None:
                    self._show(shown)
                await asyncio.sleep(_BREATH)
            await asyncio.sleep(_REST)
            self._show_still(update=True)
        except Exception as error:
            self._complain(error)

    def stop_refining(self) -> None:
        """What the model still counts for the last picture is dropped."""
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
            self._tell_values()
            self._complain(error)
            return None
        self._show(shown)
        return shown

    def _show(self, shown: Shown) -> None:
        """Everything in one message, so that nothing stands beside an older part."""
        self.shown = shown
        with self.hold_sync():
            self.picture = shown.html
            self.verdicts = [
                {"safe": each.safe, "hop": each.hop, "text": each.sentence}
                for each in shown.verdicts
            ]
            self._tell_values()
            if self.live_task is None:
                self.live = self._offer(shown)

    # -- what the browser is told -----------------------------------------------------

    def _tell_knobs(self) -> None:
        self.knobs = [
            {
                "path": knob.path,
                "label": knob.label,
                "help": knob.help,
                "stops": [knob.written(value) for value in knob.stops],
            }
            for knob in self.model.knobs
        ]

    def _tell_values(self, wrong: Mapping[str, str] | None = None) -> None:
        """Where every control stands; ``number`` is the last message that counted."""
        model = self.model
        at = {}
        for knob in model.knobs:
            value = float(model.scenario.get(knob.path))
            near = nearest(knob.stops, value)
            at[knob.path] = {"at": near, "text": knob.written(value)}
        self.values = {"number": self._seen, "at": at, "wrong": dict(wrong or {})}
        self.presets = {
            "names": [START, *model.presets],
            "at": model.preset,
            "changed": model.is_changed,
        }
        extras = model.extras().items()
        self.chips = [{"path": path, "text": text} for path, text in extras]

    def _refuse(self, path: str, sentence: str) -> None:
        self._tell_values({path: sentence})

    def _say(self, sentence: str) -> None:
        self.said = {"text": sentence}

    def _complain(self, error: Exception) -> None:
        self.said = {"text": str(error) or type(error).__name__, "wrong": True}

    # -- real sockets -----------------------------------------------------------------

    def _offer(self, shown: Shown) -> dict[str, Any]:
        """Whether the same can be tried on real sockets, and for how long."""
        view = self.model.view
        if not view.lives:
            return {"state": "none"}
        part = view.live_part(shown.scenario)
        seconds = math.ceil(view.seconds(part, shown.counts))
        return {"state": "idle", "label": f"Run live ({seconds} s)"}

    def start_live(self) -> None:
        """Run the same setting on real sockets, in the kernel's own loop."""
        self.cancel()
        self.stop_refining()
        self._say("")
        trial = LiveRun(self.model, self.shown, self._tell_live)
        self.live_task = asyncio.get_running_loop().create_task(self._live(trial))

    async def _live(self, trial: LiveRun) -> None:
        try:
            shown, sentence = await trial.run()
            self.live_task = None
            self._show(shown)
            self._say(sentence)
        except Exception as error:
            self.live_task = None
            self._say(f"The live run failed: {error}")
        if self.shown is not None and self.live_task is None:
            self.live = self._offer(self.shown)

    def _tell_live(self, told: Told) -> None:
        if self.live_task is not None:  # one that was cancelled may speak once more
            self.live = {"state": "running", "label": "Cancel", **told}

    def cancel(self) -> None:
        """End a live run that is under way."""
        if self.live_task is None:
            return
        self.live_task.cancel()
        self.live_task = None
        self._say("The live run was cancelled.")
        if self.shown is not None:
            self.live = self._offer(self.shown)

    # -- ends -------------------------------------------------------------------------

    def close(self) -> None:
        """Take the panel away and end what it started."""
        self.cancel()
        self.stop_refining()
        super().close()

    # -- in an output -----------------------------------------------------------------

    def _ipython_display_(self) -> None:
        """The sliders, and behind them the picture that is kept when they are gone.

        Two outputs, for the picture is brought up to date whenever the sliders rest,
        and the sliders must not be made anew for that. ``panel.css`` hides the picture
        while they are there; :mod:`labkit.jupyter` saves the picture only.
        """
        outputs.widget(self.model_id)
        self._show_still(update=False)

    def _show_still(self, update: bool) -> None:
        if self.shown is not None:
            outputs.picture(self.model_id, self.shown.still, update)

"""A prediction as a small field: it is locked in before the answer shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from labkit.lessons.verdict import Guess
from labkit.widgets import outputs
from labkit.widgets.entry import number_in

_HERE = Path(__file__).parent


def guess(prompt: str, unit: str, value: float | None = None) -> GuessField:
    """A field for a learner's own number; with a ``value`` it is locked in already."""
    return GuessField(Guess(prompt, unit, value))


class GuessField(anywidget.AnyWidget):
    """A prediction on the screen; ``guess`` is all that it knows."""

    _esm = (_HERE / "guess.js").read_text(encoding="utf-8")
    _css = (_HERE / "panel.css").read_text(encoding="utf-8")
    prompt: Any = traitlets.Unicode().tag(sync=True)
    unit: Any = traitlets.Unicode().tag(sync=True)
    text: Any = traitlets.Unicode().tag(sync=True)
    said: Any = traitlets.Unicode().tag(sync=True)
    locked: Any = traitlets.Bool(False).tag(sync=True)

    def __init__(self, guess: Guess) -> None:
        super().__init__(prompt=guess.prompt, unit=guess.unit)
        self.guess = guess
        self.on_msg(lambda _, content, buffers: self.receive(content))
        if guess.value is not None:
            self.receive({"text": f"{guess.value:g}"})

    @property
    def value(self) -> float | None:
        """The number that was locked in; None until then."""
        return self.guess.value

    def receive(self, sent: Mapping[str, Any]) -> None:
        """Lock in what was written, or say that it is no number."""
        if self.locked:
            return
        text = str(sent.get("text", ""))
        number = number_in(text, "")
        if number is None or number in (float("inf"), float("-inf")):
            self.said = f"Write a number ({self.unit}), such as 5."
            return
        self.guess = Guess(self.guess.prompt, self.guess.unit, number)
        self.text, self.locked = text.strip(), True
        self.said = "Locked in. Now run the cells below, down to the answer."

    def against(self, truth: float) -> str:
        """The gap between guess and truth, named; the truth only to who guessed."""
        if self.value is None:
            return (
                "No guess yet: write a number into the field above, lock it in, then "
                "run this cell again."
            )
        return self.guess.against(truth)

    def _ipython_display_(self) -> None:
        """The field, or where no kernel runs, what it would ask."""
        asked = f"{self.prompt} Run this cell for a field to write your guess into."
        outputs.widget(self.model_id, asked)

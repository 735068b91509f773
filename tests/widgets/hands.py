"""What a reader does to a panel, and what is read on it, through its widgets alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import ipywidgets

from labkit.widgets.skin import Panel


def parts(widget: Any, kind: type) -> Iterator[Any]:
    """Every widget of a kind, from top to bottom."""
    if isinstance(widget, kind):
        yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child, kind)


def drag(panel: Panel, path: str, value: float) -> None:
    """The slider of this knob to this stop."""
    sliders = parts(panel, ipywidgets.SelectionSlider)
    paths = (knob.path for knob in panel.model.knobs)
    dict(zip(paths, sliders, strict=True))[path].value = value


def button(panel: Panel, words: str) -> ipywidgets.Button:
    buttons = parts(panel, ipywidgets.Button)
    return next(each for each in buttons if each.description == words)


def shown(panel: Panel) -> list[str]:
    """The texts and the picture, as HTML."""
    return [each.value for each in parts(panel, ipywidgets.HTML)]


async def until(panel: Panel, words: str) -> str:
    """Wait until a text of the panel has these words."""
    async with asyncio.timeout(30.0):
        while not (found := [text for text in shown(panel) if words in text]):
            await asyncio.sleep(0.005)
    return str(found[0])

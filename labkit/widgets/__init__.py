"""Sliders and fields over plain functions: the only rooms that know ipywidgets."""

from __future__ import annotations

from labkit.widgets.guess_field import GuessField, guess
from labkit.widgets.panels import Panel, panel

__all__ = ["GuessField", "Panel", "guess", "panel"]

"""Sliders over plain functions: the only rooms that know ipywidgets."""

from __future__ import annotations

from labkit.widgets.panels import Panel, panel

__all__ = ["Panel", "panel"]

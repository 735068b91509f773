"""What a cell with a widget of ours has as outputs."""

from __future__ import annotations

from typing import Any

import IPython

from labkit.jupyter import MARK, WIDGET_VIEW
from labkit.widgets.shown import Still

_display: Any = IPython.display.display


def widget(model_id: str, words: str = "") -> None:
    """A widget; ``words`` stand in its place where no kernel runs."""
    view = {"model_id": model_id, "version_major": 2, "version_minor": 0}
    plain = {"text/plain": words} if words else {}
    _display({WIDGET_VIEW: view, **plain}, metadata=MARK, raw=True)


def picture(model_id: str, still: Still, update: bool) -> None:
    """The plain picture behind a widget, for the first time or brought up to date."""
    if IPython.get_ipython() is None:
        return
    data, metadata = still.bundle()
    name = f"labkit-{model_id}"
    _display(data, metadata=metadata, raw=True, display_id=name, update=update)

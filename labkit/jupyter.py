"""A Jupyter server that saves a panel as its picture: a slider needs a kernel.

A widget lives as long as its kernel. A notebook that was saved with one shows, after
the next start, "Error displaying widget: model not found". Behind the sliders of a
panel lies its plain picture, so the sliders need not be saved. Every server of an
environment with labkit in it loads this (``etc/jupyter/jupyter_server_config.d``).
"""

from __future__ import annotations

from typing import Any

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# In the metadata of the output that holds the sliders.
MARK = {"labkit": "panel"}


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "labkit.jupyter"}]


def _load_jupyter_server_extension(app: Any) -> None:
    app.contents_manager.register_pre_save_hook(without_sliders)


def without_sliders(model: dict[str, Any], **_: Any) -> None:
    """Take our widget views out of a notebook that is about to be saved.

    ``model`` is that of the contents API; whatever else it holds stays as it is.
    """
    content = model.get("content")
    if model.get("type") != "notebook" or not isinstance(content, dict):
        return
    for cell in content.get("cells", ()):
        if cell.get("outputs"):
            cell["outputs"] = [each for each in map(_still, cell["outputs"]) if each]


def _still(output: dict[str, Any]) -> dict[str, Any] | None:
    """An output without our widget; None when nothing else was there."""
    data, metadata = output.get("data", {}), output.get("metadata") or {}
    if WIDGET_VIEW not in data or not MARK.items() <= metadata.items():
        return output
    left = {kind: value for kind, value in data.items() if kind != WIDGET_VIEW}
    return {**output, "data": left} if left else None

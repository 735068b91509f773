"""What a Jupyter server with labkit in it saves of a notebook."""

from typing import Any

import pytest

from labkit.jupyter import MARK, WIDGET_VIEW, without_sliders

PICTURE = {"output_type": "display_data", "data": {"image/png": "iVBO"}, "metadata": {}}


def output(metadata: dict[str, str]) -> dict[str, Any]:
    view = {"model_id": "1", "version_major": 2, "version_minor": 0}
    return {
        "output_type": "display_data",
        "data": {WIDGET_VIEW: view},
        "metadata": metadata,
    }


def saved(*outputs: dict[str, Any]) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "source": "a panel"},
        {"cell_type": "code", "source": "", "outputs": list(outputs)},
    ]
    model = {"type": "notebook", "content": {"cells": cells}}
    without_sliders(model, path="03.ipynb", contents_manager=None)
    outputs_left: list[dict[str, Any]] = cells[1]["outputs"]
    return outputs_left


def test_of_a_panel_only_its_picture_is_saved() -> None:
    assert saved(output(MARK), PICTURE) == [PICTURE]


def test_widgets_of_others_stay() -> None:
    assert saved(output({}), PICTURE) == [output({}), PICTURE]


@pytest.mark.parametrize(
    "model",
    [
        {"type": "file", "content": "text"},
        {"type": "notebook", "content": None},
        {"type": "notebook", "content": {}},
        {"type": "directory"},
    ],
)
def test_whatever_else_is_saved_stays_as_it_is(model: dict[str, Any]) -> None:
    before = dict(model)
    without_sliders(model)
    assert model == before

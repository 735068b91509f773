"""Figures as files: named for screen readers, the same bytes each time."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from labkit import figures
from tests.figures.stories import ran

SVG = "{http://www.w3.org/2000/svg}"


def test_an_svg_has_a_title_a_description_and_a_role(tmp_path: Path) -> None:
    path = tmp_path / "run.svg"
    figures.save(figures.sequence(ran()), path, "A <race>", "One & all.")
    root = ElementTree.parse(path).getroot()
    title, desc = root[0], root[1]
    assert (title.tag, title.text) == (f"{SVG}title", "A <race>")
    assert (desc.tag, desc.text) == (f"{SVG}desc", "One & all.")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_same_figure_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"{n}.{suffix}" for n in range(2)]
    for path in paths:
        figures.save(figures.sequence(ran()), path, "T", "D")
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_png_carries_its_description(tmp_path: Path) -> None:
    path = tmp_path / "run.png"
    figures.save(figures.lifelines(ran()), path, "Lives", "One bar per connection.")
    assert b"One bar per connection." in path.read_bytes()


def test_a_picture_in_a_notebook_has_two_pixels_for_each_that_it_takes() -> None:
    picture = figures.Picture(figures.sequence(ran()), "In words.")
    data, metadata = picture._repr_mimebundle_()
    wide, high = struct.unpack(">II", data["image/png"][16:24])
    words = metadata["image/png"]
    assert words["alt"] == data["text/plain"] == "In words."
    assert (wide, high) == pytest.approx(
        (2 * words["width"], 2 * words["height"]), abs=2
    )
    assert words["width"] == 701


def test_a_readers_own_figure_is_as_crisp() -> None:
    figure = Figure(figsize=(4.0, 3.0), dpi=72)
    picture = figures.Picture(figures.sequence(ran(), ax=figure.add_subplot()), "A")
    assert struct.unpack(">II", picture.png[16:24]) == (800, 600)
    assert picture.size == (400, 300) and figure.dpi == 72


def test_the_svg_of_a_run_carries_its_summary() -> None:
    run = ran()
    text = figures.svg(figures.sequence(run), run)
    assert f"{run.summary()}</desc>" in text


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"allowed are names in \.svg or \.png"):
        figures.save(figures.sequence(ran()), tmp_path / "run.gif", "T", "D")

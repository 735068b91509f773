"""What a panel shows at one setting: the picture, its words, and the verdicts."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from labkit.figures import png
from labkit.figures.paper import svg_pen
from labkit.figures.paper.matplotlib_pen import DPI, NATURAL, drawn, figure_of
from labkit.figures.paper.metrics import wrapped
from labkit.figures.paper.picture import described
from labkit.figures.paper.sheet import Sheet, Word
from labkit.figures.paper.style import LABEL, MUTED
from labkit.figures.paper.svg_pen import escaped
from labkit.lab import Run
from labkit.settings import Scenario

CAPTION = "Run this cell for the sliders."
_LINE = 5.5  # mm of a line below the picture


@dataclass(frozen=True)
class Verdict:
    """Whether one hop is safe, and why, in words of the theory."""

    hop: str
    safe: bool
    sentence: str


def verdict_of(hop: str, told: str) -> Verdict:
    """Theory ends its sentence with the word that matters most; here it comes first."""
    reason, _, word = told.rpartition(": ")
    if not reason:
        return Verdict(hop, True, told)
    return Verdict(hop, not word.startswith("unsafe"), f"{word}: {reason}")


@dataclass(frozen=True)
class Still:
    """A picture that stands for a panel: a PNG and its alt text."""

    png: bytes
    alt: str

    def bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Data and metadata of an output; a page shows it at half its pixels."""
        wide, high = struct.unpack(">II", self.png[16:24])
        size = round(wide * NATURAL / DPI), round(high * NATURAL / DPI)
        words = f"{self.alt} {CAPTION}"
        shown = base64.b64encode(self.png).decode("ascii")
        data = {"image/png": shown, "text/plain": words}
        return data, {"image/png": described(words, size)}


def _captioned(sheet: Sheet, lines: Sequence[str]) -> Sheet:
    """The same on paper with some more lines at its end."""
    step = _LINE * sheet.grain[1]
    room = sheet.width / sheet.grain[0] - 8.0
    lines = [part for line in lines for part in wrapped(line, room, LABEL)]
    words = [
        Word(
            line,
            4.0 * sheet.grain[0],
            sheet.height + (row + 0.5) * step,
            "left",
            ink=MUTED,
        )
        for row, line in enumerate(lines)
    ]
    high = sheet.height + len(lines) * step
    return replace(sheet, height=high, words=[*sheet.words, *words])


@dataclass(frozen=True)
class Shown:
    """What a panel shows at one setting: picture, its alt text, the verdicts.

    ``picture`` is a sheet, or the PNG of a figure with axes of matplotlib's.
    ``counts`` is what it was drawn from: a run, a grid, curves; ``settings`` says
    where the knobs are.
    """

    picture: Sheet | bytes
    alt: str
    verdicts: tuple[Verdict, ...]
    counts: Any
    scenario: Scenario
    settings: str = ""

    @cached_property
    def still(self) -> Still:
        """The picture where no kernel runs, the verdicts and what to do for sliders.

        A PNG, for a notebook that is not trusted shows no SVG.
        """
        said = [f"{each.hop}: {each.sentence}." for each in self.verdicts]
        alt = " ".join([self.alt, *said])
        if isinstance(self.picture, bytes):
            return Still(self.picture, alt)
        sheet = _captioned(self.picture, [*said, f"{CAPTION} Here: {self.settings}."])
        return Still(png(figure_of(drawn(sheet))), alt)

    @cached_property
    def html(self) -> str:
        """The picture on a page, as wide as there is room, with its alt text."""
        if isinstance(self.picture, Sheet):
            return svg_pen.document(self.picture, self.picture.title, self.alt)
        source = base64.b64encode(self.picture).decode("ascii")
        # Decoded at once: else the page would be blank for a moment.
        return (
            f'<img style="width:100%" decoding="sync" alt="{escaped(self.alt)}" '
            f'src="data:image/png;base64,{source}">'
        )

    @property
    def run(self) -> Run:
        """The run of a picture that shows one; TypeError for any other."""
        if not isinstance(self.counts, Run):
            raise TypeError("this picture shows no single run")
        return self.counts

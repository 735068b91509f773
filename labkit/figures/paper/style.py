"""One colour and one shape per role, the same in every figure.

The hues are those of Okabe and Ito (2008), which colour-blind readers can tell
apart; every role has a second channel as well, a dash, a head or a marker. All
strokes reach a contrast of 3:1 on the paper, all words 4.5:1 (WCAG 2.1), on light
paper and on dark: the constants are the colours on light paper, and
:mod:`labkit.figures.paper.palette` has both.
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.figures.paper.palette import PALETTE
from labkit.records.trace import Kind

BLUE = PALETTE["blue"].light
VERMILION = PALETTE["failed"].light
GREEN = PALETTE["green"].light
PURPLE = PALETTE["purple"].light
ORANGE = PALETTE["orange"].light
SKY = PALETTE["sky"].light
YELLOW = PALETTE["yellow"].light
BLACK = PALETTE["black"].light
PINK = PALETTE["pink"].light
VIOLET = PALETTE["violet"].light
LILAC = PALETTE["lilac"].light
HATCH = PALETTE["hatch"].light
HATCH_LOST = PALETTE["hatch-lost"].light

PAPER = PALETTE["paper"].light
INK = PALETTE["ink"].light
MUTED = PALETTE["muted"].light
LIFELINE = PALETTE["lifeline"].light
BAND = PALETTE["band"].light
BOX = PALETTE["box"].light
GRID = PALETTE["grid"].light
BAR = PALETTE["bar"].light
# Orange and yellow are too pale for strokes; as an area they need no contrast.
# Translucent: it lies over the ground of words, so that both have one colour.
WINDOW = PALETTE["window"].light
LATE = PALETTE["late"].light
MODEL_BAND = PALETTE["model"].light
WINDOW_EDGE = PALETTE["amber"].light
FAILED = VERMILION
FAILED_INK = PALETTE["failed-ink"].light
BLUE_INK = PALETTE["blue-ink"].light
GREEN_INK = PALETTE["green-ink"].light
PINK_INK = PALETTE["pink-ink"].light
AMBER_INK = PALETTE["amber-ink"].light

# Pale grounds of what a connection or a request goes through.
OPEN = PALETTE["ground-open"].light
ENDING = PALETTE["ground-ending"].light
LEFT = PALETTE["ground-left"].light
OVER = PALETTE["ground-over"].light
LOST = PALETTE["ground-lost"].light

# Points; nothing on a figure is smaller than LABEL.
LABEL = 9.0
NAME = 10.0
TITLE = 12.5

MM_PER_INCH = 25.4
MM_PER_POINT = MM_PER_INCH / 72.0

Dash = str | tuple[float, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Stroke:
    """How a kind of segment is drawn; width in points, ``ink`` is for its words."""

    colour: str
    ink: str
    width: float
    dash: Dash
    head: str


STROKES = {
    Kind.SYN: Stroke(GREEN, GREEN_INK, 1.1, (0.0, (3.0, 2.0)), "open"),
    Kind.DATA: Stroke(BLUE, BLUE_INK, 1.3, "solid", "full"),
    Kind.FIN: Stroke(PINK, PINK_INK, 1.5, (0.0, (7.0, 2.0)), "bar"),
    Kind.RST: Stroke(BLACK, BLACK, 1.5, (0.0, (1.2, 1.5)), "cross"),
}
FAILURE = Stroke(FAILED, FAILED_INK, 2.4, "solid", "full")


@dataclass(frozen=True, slots=True)
class Mark:
    """How one source of truth is drawn in a plot of counts."""

    colour: str
    marker: str
    size: float
    filled: bool


MARKS = {
    "virtual": Mark(BLUE, "o", 5.5, True),
    "live": Mark(VERMILION, "D", 5.5, False),
    "model": Mark(GREEN, "s", 5.0, False),
    "theory": Mark(BLACK, "", 0.0, False),
    "envoy": Mark(PINK, "^", 6.0, False),
    # Ways to keep connections, where these are compared and not the engines.
    "one connection": Mark(INK, "o", 5.5, True),
    "LIFO pool": Mark(WINDOW_EDGE, "D", 5.5, True),
    "FIFO pool": Mark(VIOLET, "^", 6.0, False),
}
OTHER_MARK = Mark(MUTED, "v", 5.5, False)

"""One colour and one shape per role, the same in every figure.

The hues are those of Okabe and Ito (2008), which colour-blind readers can tell
apart; every role has a second channel as well, a dash, a head or a marker. All
strokes reach a contrast of 3:1 on the paper, all words 4.5:1 (WCAG 2.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.records.trace import Kind

BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"
YELLOW = "#F0E442"
BLACK = "#000000"

PAPER = "#FFFFFF"
INK = "#1F2328"
MUTED = "#59636E"
LIFELINE = "#8C959F"
BAND = "#F2F4F6"
BOX = "#E4E8EC"
BAR = "#D6E8F3"
# Orange and yellow are too pale for strokes; as an area they need no contrast.
# Translucent: it lies over the ground of words, so that both have one colour.
WINDOW = "#E69F004D"
WINDOW_EDGE = "#B27A00"
FAILED = VERMILION
FAILED_INK = "#B34A00"

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
    Kind.SYN: Stroke(GREEN, "#00664A", 1.1, (0.0, (3.0, 2.0)), "open"),
    Kind.DATA: Stroke(BLUE, "#005A8E", 1.3, "solid", "full"),
    Kind.FIN: Stroke("#B0568A", "#8A3A69", 1.5, (0.0, (7.0, 2.0)), "bar"),
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
    "envoy": Mark("#B0568A", "^", 6.0, False),
    # Ways to keep connections, where these are compared and not the engines.
    "one connection": Mark(INK, "o", 5.5, True),
    "LIFO pool": Mark(WINDOW_EDGE, "D", 5.5, True),
    "FIFO pool": Mark("#6A51A3", "^", 6.0, False),
}
OTHER_MARK = Mark(MUTED, "v", 5.5, False)

"""Colours: each has a role, and its role is readable on light paper and on dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labkit.figures.diagrams.outcomes import LOOKS as FATES
from labkit.figures.diagrams.phases import LOOKS as PHASES
from labkit.figures.diagrams.teardown import LOOKS
from labkit.figures.paper.palette import PALETTE, Shade, role_of
from labkit.figures.paper.style import FAILURE, MARKS, OTHER_MARK, STROKES
from labkit.figures.plots.heatmap import SHADES
from tests.figures.gallery import CASES

FIGURES = Path(__file__).parents[2] / "labkit" / "figures"
PAPERS = ("light", "dark")
INKS = [r for r in PALETTE if r in ("ink", "muted", "black") or r.endswith("-ink")]
STROKE_ROLES = [
    "lifeline", "blue", "green", "pink", "black", "failed", "amber", "violet", "muted",
]  # fmt: skip
# What may be written where: names of parties stand in boxes, words about a break on its
# band, words on arrows inside a race window.
GROUNDS = {
    "paper": INKS,
    "band": INKS,
    "box": ["ink"],
    "window": ["ink", "blue-ink", "green-ink", "pink-ink", "failed-ink", "black"],
}


def channels(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255.0 for i in range(1, len(colour), 2)]


def luminance(rgb: list[float]) -> float:
    """Relative luminance: https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def on_paper(colour: str, paper: str) -> list[float]:
    """What a colour that may be translucent looks like."""
    *rgb, alpha = channels(colour) if len(colour) == 9 else [*channels(colour), 1.0]
    pairs = zip(rgb, channels(paper), strict=True)
    return [top * alpha + below * (1.0 - alpha) for top, below in pairs]


def contrast(role: str, ground: str, paper: str) -> float:
    sheet = getattr(PALETTE["paper"], paper)
    both = (on_paper(getattr(PALETTE[r], paper), sheet) for r in (role, ground))
    low, high = sorted(map(luminance, both))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("ground", GROUNDS)
def test_words_reach_a_contrast_of_four_and_a_half(ground: str, paper: str) -> None:
    found = {ink: contrast(ink, ground, paper) for ink in GROUNDS[ground]}
    assert {ink: c for ink, c in found.items() if c < 4.5} == {}


@pytest.mark.parametrize("paper", PAPERS)
def test_strokes_reach_a_contrast_of_three(paper: str) -> None:
    found = {role: contrast(role, "paper", paper) for role in STROKE_ROLES}
    assert {role: c for role, c in found.items() if c < 3.0} == {}


@pytest.mark.parametrize("paper", PAPERS)
def test_a_number_on_the_pill_of_a_failed_request_can_be_read(paper: str) -> None:
    assert contrast("paper", "failed-ink", paper) >= 4.5


@pytest.mark.parametrize("paper", PAPERS)
def test_hatches_of_states_stand_out_from_their_grounds(paper: str) -> None:
    for look in LOOKS.values():
        ground, ink = role_of(look.ground), role_of(look.ink)
        assert ground and ink and contrast(ink, ground, paper) >= 3.0


@pytest.mark.parametrize("paper", PAPERS)
def test_hatches_of_fates_stand_out_from_their_grounds(paper: str) -> None:
    for look in FATES.values():
        assert contrast("hatch", str(role_of(look.colour)), paper) >= 3.0


@pytest.mark.parametrize("paper", PAPERS)
def test_a_word_on_the_ground_of_a_phase_can_be_read(paper: str) -> None:
    for ground, ink, _ in PHASES.values():
        assert contrast(str(role_of(ink)), str(role_of(ground)), paper) >= 4.5


def test_every_stroke_and_mark_has_a_role_that_was_looked_at() -> None:
    strokes = [*STROKES.values(), FAILURE]
    drawn = [s.colour for s in strokes] + [m.colour for m in MARKS.values()]
    roles = {role_of(colour) for colour in (*drawn, OTHER_MARK.colour)}
    assert roles <= {*STROKE_ROLES, "ink"}
    assert {role_of(stroke.ink) for stroke in strokes} <= set(INKS)


def test_no_two_roles_share_a_colour_on_light_paper() -> None:
    assert len({shade.light for shade in PALETTE.values()}) == len(PALETTE)


def test_a_role_is_as_translucent_on_one_paper_as_on_the_other() -> None:
    for shade in PALETTE.values():
        assert isinstance(shade, Shade) and len(shade.light) == len(shade.dark)


@pytest.mark.parametrize("case", CASES)
def test_a_figure_has_no_colour_without_a_role_but_for_a_maps_scale(case: str) -> None:
    colours = CASES[case]().colours() - {"none", *SHADES}
    assert {colour for colour in colours if role_of(colour) is None} == set()


def test_no_figure_brings_a_colour_of_its_own() -> None:
    for module in {*FIGURES.rglob("*.py")} - {FIGURES / "paper" / "palette.py"}:
        named = re.findall(r'"(#[0-9A-Fa-f]{6,8})"', module.read_text(encoding="utf-8"))
        assert [c for c in named if role_of(c) is None] == [], module.name

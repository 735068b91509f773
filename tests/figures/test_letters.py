"""How wide words are: a table, and a rule for letters that are not in it."""

from __future__ import annotations

import sys

import pytest

from labkit.figures.paper import metrics
from labkit.figures.paper.style import MM_PER_POINT
from tools import measure_letters

EM = 10.0 * MM_PER_POINT


def test_the_table_is_what_the_font_says() -> None:
    assert (
        measure_letters.TARGET.read_text(encoding="utf-8") == measure_letters.source()
    )


@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_a_word_is_as_wide_as_matplotlib_sets_it(weight: str) -> None:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    words = "503 UC · Ärger naïve → “upstream” αβγ шлюз 12.5 ms"
    font = get_font(findfont(FontProperties(family=metrics.FAMILY, weight=weight)))
    font.set_size(10.0, 720.0)  # a tenth of a point is a pixel
    set_ = sum(font.load_char(ord(c)).linearHoriAdvance / 65536.0 for c in words)
    expected = set_ / 10.0 * MM_PER_POINT
    assert metrics.advance(words, 10.0, weight) == pytest.approx(expected, rel=1e-3)


def test_letters_of_east_asia_are_as_wide_as_they_are_high() -> None:
    assert metrics.advance("代理サ", 10.0) == pytest.approx(3.0 * EM)
    assert metrics.advance("🦀", 10.0) == pytest.approx(EM)


def test_accents_of_their_own_take_no_room() -> None:
    assert metrics.advance("e\u0301\u200d", 10.0) == metrics.advance("e", 10.0)


def test_any_other_letter_has_a_width_too() -> None:
    assert 0.0 < metrics.advance("ב", 10.0) < EM


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tof", "two lines of"),
        ("bell\x07", "bell\ufffd"),
        ("half \ud83e of a pair", "half \ufffd of a pair"),
        ("no letter \uffff", "no letter \ufffd"),
        ("代理 🦀", "代理 🦀"),
        ("no\u00a0break", "no\u00a0break"),
    ],
)
def test_what_no_page_can_show_is_marked(text: str, shown: str) -> None:
    assert metrics.printable(text) == shown


def test_every_character_there_is_can_be_shown_in_xml() -> None:
    from xml.etree import ElementTree

    every = "".join(map(chr, range(sys.maxunicode + 1)))
    text = metrics.printable(every).replace("&", "").replace("<", "")
    assert ElementTree.fromstring(f"<a>{text}</a>").text

"""The SVG pen: a named picture with words that can be selected, and nothing alive."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from labkit import figures
from labkit.figures.paper import svg_pen
from labkit.figures.paper.matplotlib_pen import sheet_of
from labkit.figures.paper.metrics import REPLACEMENT, advance
from labkit.figures.paper.sheet import Area, Line, Sheet, Word
from tests.figures.gallery import CASES, ODD_NAMES, named
from tests.figures.stories import ran

SVG = "{http://www.w3.org/2000/svg}"
NASTY = (
    "</text><script>alert(1)</script><img src=x onerror='alert(2)'>\"\x00\ud800\n&amp;"
)


def drawn(sheet: Sheet, title: str = "T", desc: str = "D") -> ElementTree.Element:
    return ElementTree.fromstring(svg_pen.document(sheet, title, desc))


def words(root: ElementTree.Element) -> list[str]:
    found = (text.text or "" for text in root.iter(f"{SVG}text"))
    return [text.replace("\u2068", "").replace("\u2069", "") for text in found]


def blank(*words: Word) -> Sheet:
    sheet = Sheet(100.0, 50.0)
    for word in words:
        sheet.write(word)
    return sheet


@pytest.mark.parametrize("case", CASES)
def test_every_diagram_is_an_xml_file_with_its_words_in_it(case: str) -> None:
    sheet = CASES[case]()
    root = drawn(sheet)
    assert root.tag == f"{SVG}svg"
    assert sorted(words(root)) == sorted(word.text for word in sheet.words)


@pytest.mark.parametrize("case", CASES)
def test_the_same_sheet_gives_the_same_bytes(case: str) -> None:
    first, second = (svg_pen.document(CASES[case](), "T", "D") for _ in range(2))
    assert first == second


def test_a_picture_has_a_name_a_description_and_a_role() -> None:
    root = drawn(blank(), "A <race>", "One & all.")
    title, desc = root[0], root[1]
    assert (title.tag, title.text) == (f"{SVG}title", "A <race>")
    assert (desc.tag, desc.text) == (f"{SVG}desc", "One & all.")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"


def test_the_ids_of_two_pictures_on_one_page_differ() -> None:
    texts = [
        svg_pen.document(blank(), "T", "D"),
        svg_pen.document(blank(), "T", "E"),
        svg_pen.document(blank(), "TD", ""),
        svg_pen.document(blank(Word("a", 50.0, 20.0)), "T", "D"),
    ]
    ids = [re.findall(r' id="([^"]+)"', text) for text in texts]
    assert len({one for each in ids for one in each}) == 8


@pytest.mark.parametrize("name", [*ODD_NAMES, NASTY])
def test_any_name_is_shown_as_it_is_and_does_nothing(name: str) -> None:
    sheet = blank(Word(name, 50.0, 20.0, points=2.0))
    root = drawn(sheet, name, name)
    [shown] = words(root)
    assert shown == sheet.words[0].text
    assert {each.tag for each in root.iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "title", "desc", "style", "rect", "g", "text")
    }


def test_what_xml_forbids_is_marked() -> None:
    root = drawn(blank(Word("a\x07\ud83eb", 50.0, 20.0)), "\x00", "\udfff")
    assert words(root) == [f"a{REPLACEMENT}{REPLACEMENT}b"]
    assert (root[0].text, root[1].text) == (REPLACEMENT, REPLACEMENT)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_program_may_have_any_name(name: str, tmp_path: Path) -> None:
    sheet = named(name)
    assert any(name in text for text in words(drawn(sheet)))
    figures.save(sheet, tmp_path / "named.png", name, name)


def test_a_name_from_right_to_left_leaves_the_words_around_it_in_order() -> None:
    root = drawn(blank(Word("1 to בודק, 2 to upstream", 50.0, 20.0)))
    [text] = root.iter(f"{SVG}text")
    assert text.text == "1 to \u2068בודק\u2069, 2 to upstream"


def test_a_word_has_its_length_so_that_any_font_fits() -> None:
    word = Word("503 UC", 50.0, 20.0, weight="bold")
    [text] = drawn(blank(word)).iter(f"{SVG}text")
    pixels = advance(word.text, word.points, "bold") / 25.4 * 100.0
    assert float(text.get("textLength", "0")) == pytest.approx(pixels, abs=0.06)
    assert text.get("lengthAdjust") == "spacingAndGlyphs"


def test_the_font_is_named_with_others_to_fall_back_on() -> None:
    text = svg_pen.document(blank(), "T", "D")
    assert 'font-family:"DejaVu Sans",Verdana,sans-serif' in text


def test_colours_are_roles_with_a_value_for_each_paper() -> None:
    text = svg_pen.document(figures.sequence.sheet(ran()), "T", "D")
    body = text.split("</style>")[1]
    assert "#" not in body
    rules = text.split("<style>")[1].split("</style>")[0]
    used = set(
        re.findall(r"[fs]-([a-z-]+)", " ".join(re.findall('class="(.*?)"', body)))
    )
    assert used
    for role in used:
        assert rules.count(f"--labkit-{role}:") == 4
    assert "@media(prefers-color-scheme:dark)" in rules
    assert '[data-jp-theme-light="false"] .labkit' in rules


def test_a_colour_without_a_role_is_kept() -> None:
    sheet = blank()
    corners = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0))
    sheet.areas.append(Area(corners, "#123456", "#654321", 1.0))
    sheet.lines.append(Line(corners[:2], "#ABCDEF", 1.0))
    text = svg_pen.document(sheet, "T", "D")
    for look in ('fill="#123456"', 'stroke="#654321"', 'stroke="#ABCDEF"'):
        assert look in text


def test_it_fills_a_page_up_to_its_size_and_a_file_has_that_size() -> None:
    root = drawn(Sheet(254.0, 127.0))
    assert (root.get("width"), root.get("height")) == ("1000", "500")
    assert root.get("viewBox") == "0 0 1000 500"
    text = svg_pen.document(Sheet(254.0, 127.0), "T", "D")
    assert ".labkit:not(:root){display:block;width:100%;height:auto" in text
    assert "--labkit-wide:1000px" in text


def test_a_sheet_that_was_shrunk_takes_no_more_than_its_paper() -> None:
    root = drawn(figures.sequence.sheet(ran(), (120.0, 90.0)))
    wide, high = (float(n) for n in root.get("viewBox", "").split()[2:])
    assert (wide, high) == pytest.approx((120.0 / 0.254, 90.0 / 0.254), abs=0.1)


def test_strokes_along_the_pixels_lie_on_them() -> None:
    sheet = blank()
    sheet.lines.append(Line(((1.1, 0.0), (1.1, 9.0)), "#000000", 0.8))
    [path] = drawn(sheet).iter(f"{SVG}path")
    assert path.get("d") == "M4.5 0 4.5 35.4"


def test_a_long_diagram_is_a_small_file() -> None:
    assert (
        len(svg_pen.document(figures.sequence.sheet(ran(requests=60)), "T", "D"))
        < 30_000
    )


# -- files and figures ---------------------------------------------------------------


def test_a_figure_of_ours_is_written_by_our_pen() -> None:
    ax = figures.sequence(ran())
    assert figures.svg(ax, ran()).startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "<text" in figures.svg(ax, ran())


@pytest.mark.parametrize(
    "add",
    [
        lambda ax: ax.plot([1.0, 2.0], [1.0, 2.0]),
        lambda ax: ax.text(5.0, 5.0, "mine"),
        lambda ax: ax.set_title("mine"),
        lambda ax: ax.figure.text(0.5, 0.5, "mine"),
        lambda ax: ax.figure.suptitle("mine"),
        lambda ax: ax.figure.add_axes((0.1, 0.1, 0.2, 0.2)),
        lambda ax: ax.set_position((0.1, 0.1, 0.8, 0.8)),
        lambda ax: ax.clear(),
    ],
)
def test_what_a_reader_adds_to_a_figure_is_not_lost(add: object) -> None:
    ax = figures.sequence(ran())
    assert sheet_of(ax.figure) is not None  # type: ignore[arg-type]
    add(ax)  # type: ignore[operator]
    assert sheet_of(ax.figure) is None  # type: ignore[arg-type]
    ElementTree.fromstring(figures.svg(ax, ran()))


def test_layouts_and_the_svg_pen_do_without_matplotlib() -> None:
    import subprocess
    import sys

    code = (
        "import sys;"
        "sys.modules['matplotlib'] = sys.modules['PIL'] = None;"
        "import importlib, labkit;"
        "from labkit.figures.paper import svg_pen;"
        "from labkit.lessons.start import failing_chain;"
        "run = labkit.run(failing_chain(), progress=False);"
        "names = ('sequence', 'lifelines');"
        "room = 'labkit.figures.diagrams.';"
        "rooms = [importlib.import_module(room + name) for name in names];"
        "texts = [svg_pen.document(room.sheet(run), 'T', 'D') for room in rooms];"
        "sys.exit(not all(text.startswith('<svg') for text in texts))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0

"""Both pens draw the same picture: Chromium shows the SVG, matplotlib makes the PNG."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.font_manager import FontProperties, findfont
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, Page

from labkit.figures.paper import svg_pen
from labkit.figures.paper.matplotlib_pen import (
    DPI,
    NATURAL,
    drawn,
    figure_of,
    png,
    shown_size,
)
from labkit.figures.paper.metrics import FAMILY
from labkit.figures.paper.palette import PALETTE
from labkit.figures.paper.sheet import Sheet
from tests.figures.gallery import CASES, ODD_NAMES, named

pytestmark = pytest.mark.browser

NEAR = 4  # pixels of the screen, half a millimetre on paper
# Pixels of ink that may lie farther away: tips of arrows, corners of letters, and the
# last letters of a line in which one pen has moved a T and its neighbour together.
STRAY = 30

Ink = NDArray[np.float64]


def font_faces() -> str:
    """The letters that matplotlib ships, so that both pens have the same ones."""
    faces = []
    for weight, style in (
        ("normal", "normal"),
        ("bold", "normal"),
        ("normal", "italic"),
    ):
        wanted = FontProperties(family=FAMILY, weight=weight, style=style)
        letters = base64.b64encode(Path(findfont(wanted)).read_bytes()).decode("ascii")
        faces.append(
            f'@font-face{{font-family:"{FAMILY}";font-weight:{weight};'
            f"font-style:{style};src:url(data:font/ttf;base64,{letters})}}"
        )
    return "".join(faces)


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    """A light page on a screen with two pixels for one."""
    page = chromium.new_page(
        viewport={"width": 1400, "height": 1200},
        device_scale_factor=DPI / NATURAL,
        color_scheme="light",
    )
    page.set_content(f"<style>{font_faces()}body{{margin:0}}</style><main></main>")
    yield page
    page.close()


def show(page: Page, sheet: Sheet) -> None:
    hang(page, svg_pen.document(sheet, "A title", "In words."))


def hang(page: Page, text: str) -> None:
    """Put it on the page, and wait for its letters."""
    page.evaluate("text => { document.querySelector('main').innerHTML = text }", text)
    page.evaluate("() => document.fonts.ready.then(() => null)")


def ink(picture: bytes) -> Ink:
    """How far from white each pixel is, from 0 to 1."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), float)
    return 1.0 - pixels.min(axis=2) / 255.0


def grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(image.filter(ImageFilter.MaxFilter(2 * NEAR + 1))) > 0


def stray(one: Ink, other: Ink) -> int:
    """How many dark pixels of either picture are near no ink of the other."""
    high, wide = np.minimum(one.shape, other.shape)
    one, other = one[:high, :wide], other[:high, :wide]
    pairs = ((one, other), (other, one))
    return sum(int(((a > 0.5) & ~grown(b > 0.25)).sum()) for a, b in pairs)


def by_svg(page: Page, sheet: Sheet) -> Ink:
    show(page, sheet)
    return ink(page.locator("svg.labkit").screenshot())


def by_png(sheet: Sheet) -> Ink:
    return ink(png(figure_of(drawn(sheet))))


WIDE, APART, COLUMNS = 701, 9, 3


@dataclass(frozen=True)
class Wall:
    """Every figure of the gallery on one page: its sheet, and its picture by SVG."""

    sheets: dict[str, Sheet]
    inks: dict[str, Ink]


def shelves(sheets: dict[str, Sheet]) -> dict[str, tuple[int, int, int, int]]:
    """Left, top, width and height of each in pixels, in columns of even length."""
    ends, places = [0] * COLUMNS, {}
    for name, sheet in sheets.items():
        column = ends.index(min(ends))
        wide, high = shown_size(sheet.paper)
        places[name] = (column * (WIDE + APART), ends[column], wide, high)
        ends[column] += high + APART
    return places


@pytest.fixture(scope="module")
def wall(page: Page) -> Wall:
    """One page and one screenshot for all: a page of its own for each takes long."""
    sheets = {name: case() for name, case in CASES.items()}
    places = shelves(sheets)
    hung = "".join(
        f'<div style="position:absolute;left:{places[name][0]}px;'
        f'top:{places[name][1]}px;width:{places[name][2]}px">'
        f"{svg_pen.document(sheet, name, 'In words.')}</div>"
        for name, sheet in sheets.items()
    )
    hang(page, hung)
    high = max(top + high for _, top, _, high in places.values())
    whole = {"x": 0, "y": 0, "width": COLUMNS * (WIDE + APART), "height": high}
    all_of_it = ink(page.screenshot(full_page=True, clip=whole))  # type: ignore[arg-type]
    scale = round(DPI / NATURAL)
    inks = {
        name: all_of_it[
            top * scale : (top + high) * scale, left * scale : (left + wide) * scale
        ]
        for name, (left, top, wide, high) in places.items()
    }
    return Wall(sheets, inks)


@pytest.mark.parametrize("case", CASES)
def test_both_pens_draw_the_same_picture(wall: Wall, case: str) -> None:
    svg, raster = wall.inks[case], by_png(wall.sheets[case])
    assert np.abs(np.subtract(svg.shape, raster.shape)).max() <= 2
    assert stray(svg, raster) <= STRAY
    assert svg.mean() == pytest.approx(raster.mean(), rel=0.03)


@pytest.mark.parametrize("case", ["sequence", "lifelines", "phases", "teardown"])
def test_a_word_that_lies_elsewhere_would_be_noticed(page: Page, case: str) -> None:
    sheet = CASES[case]()
    longest = max(sheet.words, key=lambda word: len(word.text))
    words = [replace(w, y=w.y + 1.5) if w is longest else w for w in sheet.words]
    assert stray(by_svg(page, replace(sheet, words=words)), by_png(sheet)) > STRAY


def test_a_stroke_or_an_area_that_is_missing_would_be_noticed(page: Page) -> None:
    sheet = CASES["lifelines"]()
    for part in ("lines", "areas"):
        poorer = replace(sheet, **{part: getattr(sheet, part)[:-1]})
        assert stray(by_svg(page, poorer), by_png(sheet)) > STRAY


# The words that are wider or narrower than their room in a font.
_ILL_FITTING = """([font, isFixed]) =>
    [...document.querySelectorAll("svg.labkit text")].filter(text => {
        const room = text.textLength.baseVal.value;
        if (!isFixed) text.removeAttribute("textLength");
        text.style.fontFamily = font;
        return Math.abs(text.getBBox().width - room) > 1 + 0.02 * room;
    }).map(text => text.textContent)"""


def test_no_word_outgrows_its_room_in_any_font(page: Page) -> None:
    texts = [svg_pen.document(case(), "T", "D") for case in CASES.values()]
    hang(page, "".join(texts))
    assert page.evaluate(_ILL_FITTING, ["monospace", True]) == []
    assert page.evaluate(_ILL_FITTING, ["serif", True]) == []
    assert len(page.evaluate(_ILL_FITTING, ["monospace", False])) > len(CASES)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_is_text_and_nothing_else(page: Page, name: str) -> None:
    page.evaluate("() => { window.alerted = 0; window.alert = () => window.alerted++ }")
    show(page, named(name))
    assert page.evaluate("() => window.alerted") == 0
    assert page.locator("main img, main script").count() == 0
    shown = page.locator("svg.labkit").evaluate("picture => picture.textContent")
    assert name[:8] in shown.replace("\u2068", "").replace("\u2069", "")


def test_its_words_can_be_selected(page: Page) -> None:
    show(page, CASES["sequence"]())
    selected = page.evaluate(
        """() => {
            const title = document.querySelector("svg.labkit text");
            window.getSelection().selectAllChildren(title);
            return window.getSelection().toString();
        }"""
    )
    assert selected == "Request 4 met a closing connection: 503 UC"


# -- light and dark ------------------------------------------------------------------


def paper_of(page: Page) -> str:
    """The colour in which the ground is painted."""
    told = page.locator("svg.labkit rect").first.evaluate(
        "ground => getComputedStyle(ground).fill"
    )
    red, green, blue = (int(part) for part in told[4:-1].split(","))
    return f"#{red:02X}{green:02X}{blue:02X}"


@pytest.mark.parametrize(
    ("wish", "theme", "paper"),
    [
        ("light", None, "light"),
        ("dark", None, "dark"),
        ("light", "false", "dark"),
        ("dark", "true", "light"),
    ],
)
def test_the_browsers_wish_counts_and_jupyterlabs_theme_more(
    page: Page, wish: str, theme: str | None, paper: str
) -> None:
    page.emulate_media(color_scheme=wish)  # type: ignore[arg-type]
    show(page, CASES["sequence"]())
    try:
        if theme is not None:
            page.evaluate("t => { document.body.dataset.jpThemeLight = t }", theme)
        assert paper_of(page) == getattr(PALETTE["paper"], paper)
    finally:
        page.emulate_media(color_scheme="light")
        page.evaluate("() => { delete document.body.dataset.jpThemeLight }")


def test_it_shrinks_with_its_page_and_keeps_its_shape(page: Page) -> None:
    show(page, CASES["sequence"]())
    sizes = []
    for room in ("350px", "1300px"):
        page.locator("main").evaluate(
            "(main, room) => { main.style.width = room }", room
        )
        box = page.locator("svg.labkit").bounding_box()
        assert box is not None
        sizes.append((box["width"], box["width"] / box["height"]))
    page.locator("main").evaluate("main => { main.style.width = '' }")
    assert [wide for wide, _ in sizes] == [350.0, 701.0]
    assert sizes[0][1] == pytest.approx(sizes[1][1], rel=0.01)

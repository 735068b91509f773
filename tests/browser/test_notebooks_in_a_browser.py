"""A reader opens JupyterLab, runs the notebooks and drags their sliders."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tools.jupyterlab import FOR_A_START, PICTURE, opened, panel_of, run_all

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
SCREENSHOTS = ROOT / "screenshots"
FOR_A_REDRAW = 15_000  # milliseconds
FOR_A_LIVE_RUN = 60_000
HANDLE = 16  # pixels
MOST_HEIGHT = 650  # pixels of a notebook on a small laptop
FAILED = ".jp-Notebook [data-mime-type='application/vnd.jupyter.error']"
PICTURES = ".jp-OutputArea img"
NAMED = "aria-labelledby"

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page whose console stays free of errors."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(FOR_A_START)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda said: wrong.append(said.text) if said.type == "error" else None,
    )
    yield page
    context.close()
    assert wrong == []


def keep(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def visible(pictures: Locator) -> list[Locator]:
    """All but those that lie behind a panel."""
    return [picture for picture in pictures.all() if picture.is_visible()]


def source(picture: Locator) -> str:
    """What the picture's name refers to; another picture has other ids."""
    return str(picture.get_attribute(NAMED))


def drag(page: Page, slider: Locator, share: float) -> None:
    """Take the handle with the mouse and move it by a share of the track."""
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box
    at, most = float(slider.input_value()), float(slider.get_attribute("max") or 1)
    # The middle of the handle, which never leaves the track.
    x = box["x"] + HANDLE / 2 + (box["width"] - HANDLE) * at / most
    y = box["y"] + box["height"] / 2
    way = share * box["width"] * (1 if at < most / 2 else -1)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + way / 2, y, steps=4)
    page.mouse.move(x + way, y, steps=4)
    page.mouse.up()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_its_picture_follows_the_sliders(
    page: Page, jupyterlab: str, name: str
) -> None:
    opened(page, jupyterlab, name)
    run_all(page)
    assert page.locator(FAILED).all_inner_texts() == []
    for number, picture in enumerate(visible(page.locator(PICTURES))):
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("image => image.decode().then(() => image.width)") > 300
        keep(page, f"{Path(name).stem}-{number}")
    panel = panel_of(page)
    box = panel.bounding_box()
    assert box and box["height"] <= MOST_HEIGHT
    for also in BESIDES.get(name, ()):
        also(page, panel)
    picture = panel.locator(PICTURE).first
    drawn = source(picture)
    for number, slider in enumerate(panel.get_by_role("slider").all()):
        # Not every setting changes the story: some sliders belong to the wrong hop.
        before = str(slider.get_attribute("aria-valuetext"))
        drag(page, slider, 0.45)
        expect(slider).not_to_have_attribute("aria-valuetext", before)
        keep(page, f"{Path(name).stem}-slider-{number}")
    expect(picture).not_to_have_attribute(NAMED, drawn, timeout=FOR_A_REDRAW)
    keep(page, f"{Path(name).stem}-turned")


# -- besides, in a notebook that is open anyway ----------------------------------------


def a_preset_shows_what_it_changes_beyond_the_sliders(
    page: Page, panel: Locator
) -> None:
    panel.get_by_role("combobox", name="preset").select_option(index=1)
    chip = panel.get_by_role("button", name="take off")
    expect(chip).to_contain_text("idle timeout, C = 4 s")
    chip.click()
    expect(chip).to_have_count(0)
    expect(panel.get_by_role("combobox")).to_contain_text("changed")
    expect(panel.get_by_role("combobox")).to_be_focused()


def run_live_agrees_with_what_was_shown(page: Page, panel: Locator) -> None:
    panel.get_by_role("button", name="Run live").click()
    expect(panel.get_by_role("button", name="Cancel")).to_be_visible()
    expect(panel).to_contain_text("of 2 requests, ")
    said = panel.get_by_text("On real sockets")
    expect(said).to_contain_text("they agree", timeout=FOR_A_LIVE_RUN)
    said.scroll_into_view_if_needed()
    keep(page, "03-the-race-live")


Besides = Callable[[Page, Locator], None]
BESIDES: dict[str, tuple[Besides, ...]] = {
    "00-start-here.ipynb": (a_preset_shows_what_it_changes_beyond_the_sliders,),
    "03-the-race.ipynb": (run_live_agrees_with_what_was_shown,),
}

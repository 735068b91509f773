"""A reader opens JupyterLab, runs the notebooks and drags their sliders."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
SCREENSHOTS = ROOT / "screenshots"
FOR_ALL_CELLS = 180_000  # milliseconds
FOR_A_START = 60_000
FOR_A_REDRAW = 15_000
RUNNING = ".jp-Notebook .jp-InputPrompt:text-is('[*]:')"
FAILED = ".jp-Notebook [data-mime-type='application/vnd.jupyter.error']"
# One output area with a slider and a picture in it is a panel.
PANEL = ".jp-OutputArea-output:has(.widget-slider):has(img)"

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


def opened(page: Page, jupyterlab: str, name: str) -> Page:
    """The notebook once its kernel answers: cells asked to run before that may hang."""
    with page.expect_websocket(lambda socket: "/channels" in socket.url):
        page.goto(jupyterlab.format(name))
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=FOR_A_START)
    page.wait_for_load_state("networkidle")
    idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")
    expect(idle.first).to_be_visible(timeout=FOR_A_START)
    return page


def run_all(page: Page) -> None:
    """Every cell, by the menu, as a reader does it."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    prompts = page.locator(".jp-CodeCell:not(:has(.jp-mod-noInput)) .jp-InputPrompt")
    expect(page.locator(RUNNING)).to_have_count(0, timeout=FOR_ALL_CELLS)
    expect(prompts.last).not_to_have_text("[ ]:", timeout=FOR_ALL_CELLS)
    expect(page.locator(RUNNING)).to_have_count(0, timeout=FOR_ALL_CELLS)


def keep(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def drag(page: Page, slider: Locator, share: float) -> None:
    """Take the handle with the mouse and move it by a share of the track."""
    handle = slider.locator(".noUi-handle").first
    handle.scroll_into_view_if_needed()
    box, track = handle.bounding_box(), slider.locator(".noUi-target").bounding_box()
    assert box and track
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    middle = track["x"] + track["width"] / 2
    way = share * track["width"] * (1 if x < middle else -1)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + way / 2, y, steps=4)
    page.mouse.move(x + way, y, steps=4)
    page.mouse.up()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_cell_of_a_notebook_runs(page: Page, jupyterlab: str, name: str) -> None:
    opened(page, jupyterlab, name)
    run_all(page)
    keep(page, Path(name).stem)
    assert page.locator(FAILED).all_inner_texts() == []


@pytest.mark.parametrize("name", NOTEBOOKS[:1])
def test_dragging_a_slider_changes_the_picture(
    page: Page, jupyterlab: str, name: str
) -> None:
    opened(page, jupyterlab, name)
    run_all(page)
    panel = page.locator(PANEL).first
    picture, slider = panel.locator("img").first, panel.locator(".widget-slider").first
    picture.scroll_into_view_if_needed()
    keep(page, f"{Path(name).stem}-before")
    before = str(picture.get_attribute("src"))
    drag(page, slider, 0.3)
    expect(picture).not_to_have_attribute("src", before, timeout=FOR_A_REDRAW)
    keep(page, f"{Path(name).stem}-after")


@pytest.mark.parametrize("name", NOTEBOOKS[:1])
def test_the_keyboard_moves_a_slider(page: Page, jupyterlab: str, name: str) -> None:
    opened(page, jupyterlab, name)
    run_all(page)
    panel = page.locator(PANEL).first
    picture = panel.locator("img").first
    before = str(picture.get_attribute("src"))
    panel.locator(".noUi-handle").first.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(picture).not_to_have_attribute("src", before, timeout=FOR_A_REDRAW)

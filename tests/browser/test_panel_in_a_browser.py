"""A panel in JupyterLab: what it shows is so, and everybody can use it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tools import jupyterlab as lab

pytestmark = pytest.mark.browser

SCREENSHOTS = Path(__file__).resolve().parent.parent.parent / "screenshots"
NAME = "03-the-race.ipynb"
WIDE, MEDIUM, NARROW = (1440, 900), (1024, 768), (390, 844)
POOL = "proxy's pool → upstream: idle timeout, C"
SERVER = "upstream's server ← proxy: idle timeout, T"
IDS = "aria-labelledby"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A copy of the course, and the address of its notebooks in JupyterLab."""
    folder = tmp_path_factory.mktemp("panel")
    with lab.jupyterlab(folder) as where:
        yield folder / "course", where


def only_the_panel(file: Path) -> None:
    """Leave of a notebook what the panel needs: the cells that import, and its own."""
    notebook = json.loads(file.read_text())
    cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    [panel] = [c for c in cells if "labkit.panel(" in "".join(c["source"])]
    imports = [line for c in cells for line in c["source"] if "import" in line.split()]
    panel["source"] = [*(f"{line.strip()}\n" for line in imports), *panel["source"]]
    notebook["cells"] = [panel]
    file.write_text(json.dumps(notebook))


@pytest.fixture(scope="module")
def page(chromium: Browser, course: tuple[Path, str]) -> Iterator[Page]:
    """A fine screen with the panel of one notebook on it, without console errors."""
    folder, where = course
    only_the_panel(folder / NAME)
    page = chromium.new_page(device_scale_factor=2)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.set_default_timeout(10_000)
    wrong: list[str] = []
    page.on(
        "console",
        lambda said: wrong.append(said.text) if said.type == "error" else None,
    )
    lab.opened(page, where, NAME)
    lab.run_all(page)
    yield page
    page.close()
    assert wrong == []


@pytest.fixture
def panel(page: Page) -> Locator:
    """The panel as it is at its start, on a wide and light page."""
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    panel = lab.panel_of(page)
    panel.get_by_role("button", name="Reset").click()
    expect(panel.get_by_role("combobox")).to_have_value("start")
    expect(slider(panel, POOL)).to_have_attribute("aria-valuetext", "60 s")
    return panel


def keep(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def slider(panel: Locator, name: str) -> Locator:
    return panel.get_by_role("slider", name=name)


def field(panel: Locator, name: str) -> Locator:
    return panel.get_by_role("textbox", name=name)


def test_a_control_shows_exactly_the_value_of_a_preset(panel: Locator) -> None:
    panel.get_by_role("combobox").select_option("margin too small")
    expect(slider(panel, POOL)).to_have_attribute("aria-valuetext", "1.995 s")
    expect(field(panel, POOL)).to_have_value("1.995 s")
    expect(panel.locator(".labkit-unsafe")).to_contain_text("5 ms before the server")


def test_a_slider_reaches_both_sides_of_the_rule(panel: Locator) -> None:
    slider(panel, POOL).press("Home")
    expect(panel.locator(".labkit-unsafe")).to_have_count(0)
    slider(panel, POOL).press("End")
    expect(panel.locator(".labkit-unsafe")).to_contain_text("the pool never gives up")


def test_a_field_takes_any_allowed_value_and_says_what_that_is(panel: Locator) -> None:
    typed = field(panel, POOL)
    for text, shown in (("1.995", "1.995 s"), ("90s", "90 s"), ("inf", "no limit")):
        typed.fill(text)
        typed.press("Enter")
        expect(typed).to_have_value(shown)
        expect(slider(panel, POOL)).to_have_attribute("aria-valuetext", shown)
    typed.fill("soon")
    typed.press("Enter")
    expect(panel.get_by_role("alert")).to_contain_text("allowed: 0 to")
    expect(typed).to_have_attribute("aria-invalid", "true")
    expect(typed).to_have_value("soon")


def test_a_preset_is_changed_after_a_move_and_itself_when_chosen_again(
    panel: Locator,
) -> None:
    preset = panel.get_by_role("combobox")
    preset.select_option("pool gives up first")
    slider(panel, SERVER).press("ArrowRight")
    chosen = preset.locator("option:checked")
    expect(chosen).to_have_text("pool gives up first, changed")
    preset.select_option("pool gives up first")
    expect(chosen).to_have_text("pool gives up first")
    expect(field(panel, SERVER)).to_have_value("2 s")


def test_twenty_fast_keys_end_in_the_right_picture(panel: Locator) -> None:
    for _ in range(20):
        slider(panel, SERVER).press("ArrowLeft", no_wait_after=True)
    value = field(panel, SERVER).input_value()
    expect(panel.locator("svg.labkit")).to_contain_text(f"FIN after {value} idle")


def test_every_control_has_a_name_and_no_tab_stop_is_useless(
    page: Page, panel: Locator
) -> None:
    panel.get_by_role("combobox").focus()
    reached = []
    for _ in range(9):
        reached.append(page.evaluate("document.activeElement.type"))
        page.keyboard.press("Tab")
    fields = ["range", "text"] * 3
    assert reached == ["select-one", "button", "button", *fields]
    expect(slider(panel, "wire proxy – upstream: delay one way, d")).to_be_visible()
    expect(panel.get_by_role("img")).to_have_attribute(IDS, re.compile("title-"))
    expect(panel.locator("svg.labkit desc")).to_contain_text("1 of 2 requests failed")


def test_help_stands_in_one_line_for_the_control_in_hand(panel: Locator) -> None:
    panel.get_by_role("combobox").focus()
    slider(panel, POOL).focus()
    expect(panel.get_by_role("alert")).to_contain_text("allowed: 0 to")


def test_nothing_moves_when_a_control_does(panel: Locator) -> None:
    boxes = "all => all.map(e => [e.offsetTop, e.offsetHeight, e.offsetWidth])"
    parts = panel.locator(":scope > *")
    slider(panel, POOL).focus()
    before = parts.evaluate_all(boxes)
    slider(panel, POOL).press("Home")
    expect(panel.locator(".labkit-unsafe")).to_have_count(0)
    assert parts.evaluate_all(boxes) == before


def test_a_live_run_says_how_long_and_ends_when_a_control_moves(panel: Locator) -> None:
    run = panel.locator(".labkit-live")
    expect(run).to_have_text("Run live (3 s)")
    run.dblclick()
    expect(run).to_have_text("Cancel")
    expect(panel).to_contain_text("of 2 requests, ")
    slider(panel, POOL).press("ArrowLeft")
    expect(panel).to_contain_text("cancelled, for a control moved")
    expect(run).to_have_text("Run live (3 s)")


@pytest.mark.parametrize("size", [WIDE, MEDIUM, NARROW])
def test_a_panel_fits_into_the_room_there_is(
    page: Page, panel: Locator, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    if size == NARROW:
        page.keyboard.press("Control+b")  # the files aside, as one does on a phone
    room = panel.evaluate("e => e.parentElement.clientWidth")
    edges = "e => e.getBoundingClientRect().right"
    right = panel.evaluate(edges)
    keep(page, f"panel-{size[0]}")
    inner = panel.locator("input, button, select, svg")
    assert max(inner.evaluate_all(f"all => all.map({edges})")) <= right + 1
    assert panel.evaluate("e => e.offsetWidth") <= max(room, 360)
    keep(page, f"panel-{size[0]}")
    if size == NARROW:
        page.keyboard.press("Control+b")


def themed(page: Page, theme: str) -> None:
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text="Theme").first.hover()
    wanted = re.compile(f"^JupyterLab {theme}$")
    page.locator(".lm-Menu-itemLabel", has_text=wanted).click()
    light = str(theme == "Light").lower()
    expect(page.locator(f"body[data-jp-theme-light='{light}']")).to_have_count(1)


@pytest.mark.parametrize("theme", ["Dark", "Light"])
def test_axe_finds_nothing_serious_in_light_and_in_dark(
    page: Page, panel: Locator, theme: str
) -> None:
    themed(page, theme)
    paper = panel.locator("svg.labkit rect").first
    expected = "rgb(17, 17, 17)" if theme == "Dark" else "rgb(255, 255, 255)"
    expect(paper).to_have_css("fill", expected)
    good = "rgb(76, 207, 164)" if theme == "Dark" else "rgb(0, 102, 74)"
    expect(panel.locator(".labkit-safe b").first).to_have_css("color", good)
    panel.get_by_role("combobox").select_option("margin too small")
    for size in (WIDE, MEDIUM, NARROW):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        found = Axe().run(page, context=lab.PANEL).response["violations"]
        grave = [each for each in found if each["impact"] in ("serious", "critical")]
        where = [node["html"] for each in grave for node in each["nodes"]]
        assert [(each["id"], each["help"]) for each in grave] == [], where
        keep(page, f"panel-{theme}-{size[0]}")


# -- what is left of it ----------------------------------------------------------------


def test_a_saved_notebook_keeps_the_last_picture_trusted_and_untrusted(
    page: Page, panel: Locator, course: tuple[Path, str]
) -> None:
    folder, where = course
    field(panel, POOL).fill("1.5")
    field(panel, POOL).press("Enter")
    kept = page.locator(".jp-OutputArea-output img")
    before = kept.get_attribute("src")
    expect(kept).not_to_have_attribute("src", str(before))
    with page.expect_response(lambda answer: answer.request.method == "PUT"):
        page.keyboard.press("Control+s")
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name="Shut Down Kernel", exact=True).click()
    for trusted in (True, False):
        if not trusted:
            text = (folder / NAME).read_text()
            (folder / NAME).write_text(text.replace("labkit.panel(", "labkit.panel( "))
        lab.opened(page, where, NAME)
        expect(kept).to_be_visible()
        expect(page.get_by_text("model not found")).to_have_count(0)
        outputs = json.loads((folder / NAME).read_text())["cells"][0]["outputs"]
        assert "0 of 2 requests failed" in str(outputs[-1]["data"]["text/plain"])

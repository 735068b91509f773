"""A learner opens the course: it looks as it should, and to look changes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from labkit.cli.course import names
from tools import jupyterlab as lab

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A copy of the course, and the address of its notebooks in JupyterLab."""
    folder = tmp_path_factory.mktemp("own")
    with lab.jupyterlab(folder, settings={}) as where:
        yield folder / "course", where.replace("&reset", "")


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    yield page
    page.close()


def test_files_and_contents_are_open_and_nobody_asks_for_news(
    page: Page, course: tuple[Path, str]
) -> None:
    lab.opened(page, course[1], names()[0])
    shown = page.locator(".jp-DirListing-itemText")
    assert shown.all_inner_texts() == ["data", *names()]
    cut = "labels => labels.filter(each => each.scrollWidth > each.clientWidth).length"
    assert shown.evaluate_all(cut) == 0
    expect(page.locator(".jp-TableOfContents .jp-tocItem").first).to_be_visible()
    expect(page.locator(".Toastify__toast")).to_have_count(0)


def test_a_notebook_that_is_opened_and_saved_is_the_same_file(
    page: Page, course: tuple[Path, str]
) -> None:
    folder, where = course
    name = names()[2]
    before = (folder / name).read_bytes()
    lab.opened(page, f"{where}&reset", name)
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    with page.expect_response(lambda answer: answer.request.method == "PUT"):
        page.keyboard.press("Control+s")
    assert (folder / name).read_bytes() == before


# Of each paragraph how many characters a line of it holds, on average.
PER_LINE = """paragraphs => paragraphs.map(each => {
    const height = parseFloat(getComputedStyle(each).lineHeight);
    return each.innerText.length / Math.max(1, Math.round(each.clientHeight / height));
})"""


def test_a_line_of_prose_holds_80_characters_at_most(
    page: Page, course: tuple[Path, str]
) -> None:
    page.set_viewport_size({"width": 1920, "height": 1000})
    lab.opened(page, f"{course[1]}&reset", names()[0])
    prose = page.locator(".jp-RenderedMarkdown > p")
    expect(prose.first).to_be_visible()
    held = prose.evaluate_all(PER_LINE)
    assert 60 < max(held) <= 80


def test_a_link_to_the_next_notebook_opens_it(
    page: Page, course: tuple[Path, str]
) -> None:
    lab.opened(page, f"{course[1]}&reset", names()[3])
    page.locator(".jp-RenderedMarkdown a", has_text="04 Which timer").first.click()
    tab = page.locator(".lm-TabBar-tab.lm-mod-current", has_text=names()[4])
    expect(tab).to_be_visible()

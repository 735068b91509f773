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

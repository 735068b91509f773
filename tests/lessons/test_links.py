"""From every page a reader gets to the next one, to its sources and to its files."""

import itertools
import re
from pathlib import Path

import pytest

from labkit.cli.course import Course
from labkit.tables import MEASURE
from tests.lessons.course import FOLDER, cells, notebooks

NOTEBOOKS = notebooks()
PAIRS = list(itertools.pairwise(NOTEBOOKS))
_CODE = re.compile(r"```.*?```|`[^`\n]*`|<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_PROJECTS = (
    "Envoy|istio|undici|node|puma|ingress-nginx|haproxy|requests|axios|aiohttp|"
    "[kK]ubernetes|hyper-express|medplum|fetch"
)
# "Envoy 13388", "axios pull request 7151", "Envoy issues 6815 and", "issue 51704".
_THREAD = re.compile(
    rf"\b(?:(?:{_PROJECTS})(?: issues?| pull requests?)?|pull request|issue) \d{{3,}}\b"
    r"(?![.,]\d)"
)
_BARE = re.compile(
    rf"{_THREAD.pattern}|\bRFC \d+, sections? \d|\bnotebooks? \d\d\b", re.I
)


def prose(name: str) -> list[str]:
    return [cell.source for cell in cells(name) if cell.cell_type == "markdown"]


def links(name: str) -> list[str]:
    text = _CODE.sub("`code`", "\n".join(prose(name)))
    return [target for _, target in _LINK.findall(text)]


def dead(name: str, folder: Path) -> list[str]:
    """The relative links of a notebook in this folder that lead nowhere."""
    text = (folder / name).read_text("utf-8")
    targets = re.findall(r"\]\(([^)\s]+?)(?:#[^)\s]*)?\)", text)
    near = [target for target in targets if not re.match(r"https?:|#|$", target)]
    assert near, name
    return [target for target in near if not (folder / target).exists()]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_link_to_a_file_leads_there_in_a_checkout(name: str) -> None:
    assert dead(name, FOLDER) == []


def test_every_link_to_a_file_leads_there_in_a_learners_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    Course(tmp_path / "copy").lay_out()
    for name in NOTEBOOKS:
        assert dead(name, tmp_path / "copy") == [], name


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_heading_that_a_link_names_is_there(name: str) -> None:
    for target in links(name):
        page, _, anchor = target.partition("#")
        if anchor and not page.startswith("http"):
            headings = re.findall(r"^#+ (.*)$", "\n".join(prose(page or name)), re.M)
            assert anchor in [heading.replace(" ", "-") for heading in headings]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_notebook_leads_to_its_neighbours_at_both_ends(
    before: str, after: str
) -> None:
    for this, other in ((before, after), (after, before)):
        first, last = prose(this)[0].splitlines()[0], prose(this)[-1].splitlines()[-1]
        assert f"]({other})" in first and first == last
        assert "[contents](" in first


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_thread_no_section_and_no_notebook_is_named_without_its_link(
    name: str,
) -> None:
    own = re.compile(rf"notebooks? {name[:2]}", re.I)
    for text in prose(name):
        bare = _BARE.findall(_LINK.sub("[]", _CODE.sub("`code`", text)))
        assert [each for each in bare if not own.fullmatch(each)] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_link_named_by_a_number_leads_to_that_number(name: str) -> None:
    for text in prose(name):
        for label, target in _LINK.findall(text):
            if "github.com" in target and label[-1:].isdigit():
                assert target.rpartition("/")[2] == label.split()[-1]
            if "rfc-editor.org" in target:
                assert target.endswith(f"#section-{label.split()[-1]}")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_says_how_long_it_takes_and_what_may_be_skipped(name: str) -> None:
    top, end = prose(name)[0], prose(name)[-1]
    assert re.search(r"^Reading \d+ min, exercises? \d+ min\. Needs ", top, re.M)
    assert "skipped" in top and "## What this leaves out" in end


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_what_a_cell_prints_is_not_wider_than_the_measure(name: str) -> None:
    for cell in cells(name):
        if cell.cell_type != "code" or "answer" in cell.metadata.get("tags", ()):
            continue
        for output in cell.outputs:
            lines = output.get("text", "").splitlines()
            assert [line for line in lines if len(line) > MEASURE] == [], cell.id
            assert "%" not in str(lines), f"{cell.id} prints a table: labkit.tabular"

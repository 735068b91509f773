"""Pages of prose and the fenced blocks in them, each with its section and its tag.

A tag is an HTML comment directly above a block, which no renderer shows:

    <!-- snippet: envoy cluster -->
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TO_TYPE = "What to type"

_FENCE = re.compile(r"( *)(`{3,}(?=[^`]*$)|~{3,})(.*)")
_HEADING = re.compile(r" {0,3}(#{1,6}) +(.*?)[ #]*")
_TAG = re.compile(r"\s*<!--\s*snippet:(.*?)-->\s*")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its tag (None if it has none) and its text.

    ``section`` is the innermost heading above it, "" before the first one; ``part``
    tells sections of the same page apart that have the same heading. ``line`` counts
    from 1 within the cell, or within the page where a page has no cells.
    """

    page: str
    cell: int
    line: int
    section: str
    part: int
    kind: str | None
    language: str
    text: str

    @property
    def place(self) -> str:
        """For the name of a test and the start of a complaint."""
        return f"{self.page}:{self.cell}:{self.line}"

    @property
    def is_to_type(self) -> bool:
        return self.section.startswith(TO_TYPE)


@dataclass(frozen=True)
class Prose:
    """A line outside of all blocks, with the section it stands in."""

    page: str
    section: str
    part: int
    text: str


@dataclass(frozen=True)
class Stray:
    """A tag with no block directly below it: whatever it meant is not checked."""

    page: str
    cell: int
    line: int


Piece = Block | Prose | Stray


def pages() -> list[Path]:
    """Every notebook and every page of prose that readers get."""
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    docs = sorted((ROOT / "docs").glob("*.md"))
    return [*notebooks, *docs, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def pieces(path: Path) -> list[Piece]:
    """All that a page holds, in its order."""
    return list(read(path.name, _cells(path)))


def _cells(path: Path) -> list[tuple[int, str]]:
    """Number and text of each cell of prose; a page of Markdown is one cell."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return [(0, text)]
    cells = enumerate(json.loads(text)["cells"])
    return [
        (number, "".join(cell["source"]))
        for number, cell in cells
        if cell["cell_type"] == "markdown"
    ]


def read(page: str, cells: list[tuple[int, str]]) -> Iterator[Piece]:
    """Walks through the cells; a section goes on in the cells below its heading."""
    walk = _Walk(page)
    for number, text in cells:
        yield from walk.through(number, text.splitlines())


class _Walk:
    """Where a reader of the page is."""

    def __init__(self, page: str) -> None:
        self._page = page
        self._part = 0
        self._path: list[tuple[int, str]] = []

    @property
    def _section(self) -> str:
        """What to type stands for all below it, its subsections too."""
        titles = [title for _, title in self._path]
        to_type = [title for title in titles if title.startswith(TO_TYPE)]
        return [*titles, *to_type][-1] if titles else ""

    def through(self, cell: int, lines: list[str]) -> Iterator[Piece]:
        at, tag = 0, None
        while at < len(lines):
            line, number = lines[at], at + 1
            opens = _FENCE.fullmatch(line)
            if opens:
                text, at = _inside(lines, at, opens)
                yield self._block(cell, number, tag, opens[3].strip(), text)
                tag = None
                continue
            if tag is not None:
                yield Stray(self._page, cell, number - 1)
            tag = _TAG.fullmatch(line)
            tag = tag and " ".join(tag[1].split())
            yield self._prose(line)
            at += 1
        if tag is not None:
            yield Stray(self._page, cell, len(lines))

    def _block(
        self, cell: int, line: int, tag: str | None, language: str, text: str
    ) -> Block:
        where = (self._page, cell, line, self._section, self._part)
        return Block(*where, tag, language, text)

    def _prose(self, line: str) -> Prose:
        heading = _HEADING.fullmatch(line)
        if heading:
            level = len(heading[1])
            above = [each for each in self._path if each[0] < level]
            self._part += not any(t.startswith(TO_TYPE) for _, t in above)
            self._path = [*above, (level, heading[2].strip("*_ "))]
        return Prose(self._page, self._section, self._part, line)


def _inside(lines: list[str], at: int, opens: re.Match[str]) -> tuple[str, int]:
    """The text of the block that opens here, and the line after its end."""
    indent, fence = len(opens[1]), opens[2]
    closes = re.compile(rf" *{re.escape(fence[0])}{{{len(fence)},}} *")
    end = at + 1
    while end < len(lines) and not closes.fullmatch(lines[end]):
        end += 1
    inner = [_outdented(line, indent) for line in lines[at + 1 : end]]
    return "\n".join([*inner, ""]), end + 1


def _outdented(line: str, most: int) -> str:
    """A block in a list stands as deep as its fence."""
    blanks = len(line) - len(line.lstrip(" "))
    return line[min(blanks, most) :]

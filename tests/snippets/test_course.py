"""Every snippet of the course and of the reference is judged by its own program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.snippets.kinds import KINDS, check
from tests.snippets.page import Block, pages, pieces
from tests.snippets.sections import complaints

REFERENCE = Path(__file__).with_name("reference.md")
PAGES = [*pages(), REFERENCE]


def snippets() -> list[Block]:
    every = [piece for page in PAGES for piece in pieces(page)]
    return [each for each in every if isinstance(each, Block) and each.kind in KINDS]


@pytest.mark.parametrize(
    ("kind", "snippet"),
    [pytest.param(s.kind, s, id=f"{s.place}:{s.kind}") for s in snippets()],
)
def test_a_snippet_does_what_it_is_for(kind: str, snippet: Block) -> None:
    check(kind, snippet.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_to_type_escapes(page: Path) -> None:
    assert complaints(pieces(page)) == []

"""Pages are read as their readers see them, and no block to type goes unjudged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.snippets.page import Block, Piece, Prose, Stray, pieces, read
from tests.snippets.sections import complaints

TAG = "<!-- snippet: envoy cluster -->"
POOL = "```yaml\ncommon_http_protocol_options:\n  idle_timeout: 4s\n```"
RULE = "<!-- snippet: istio -->\n```yaml\nkind: DestinationRule\n```"


def page(*cells: str) -> list[Piece]:
    return list(read("page", list(enumerate(cells))))


def blocks(*cells: str) -> list[Block]:
    return [piece for piece in page(*cells) if isinstance(piece, Block)]


def only(*cells: str) -> Block:
    (block,) = blocks(*cells)
    return block


def test_a_tag_directly_above_a_block_is_its_kind() -> None:
    block = only(f"# A\n\n{TAG}\n```yaml\na: 1\n\nb: 2\n```\nafter")
    assert (block.kind, block.language) == ("envoy cluster", "yaml")
    assert (block.section, block.place) == ("A", "page:0:4")
    assert block.text == "a: 1\n\nb: 2\n"


def test_blanks_in_a_tag_do_not_matter() -> None:
    assert only("<!--snippet:  envoy   hcm-->\n```\n```").kind == "envoy hcm"


def test_a_block_in_a_list_stands_as_deep_as_its_fence() -> None:
    block = only("- one\n\n  <!-- snippet: nginx http -->\n  ~~~sh\n  a\n    b\n  ~~~")
    assert (block.kind, block.text) == ("nginx http", "a\n  b\n")


def test_a_longer_fence_holds_a_shorter_one() -> None:
    assert only("````text\n```\nx\n```\n````").text == "```\nx\n```\n"


def test_code_between_three_ticks_in_a_line_opens_no_block() -> None:
    assert blocks("```x``` and\nmore") == []


@given(st.lists(st.text("abc #`~-<>!:", max_size=12), max_size=6))
def test_every_line_of_a_page_is_read_once(lines: list[str]) -> None:
    text = "\n".join(lines)
    prose = [each for each in page(text) if isinstance(each, Prose)]
    fenced = sum(block.text.count("\n") + 2 for block in blocks(text))
    unclosed = len(prose) + fenced - len(text.splitlines())
    assert unclosed in (0, 1)


def test_a_heading_within_a_block_is_no_heading() -> None:
    assert [b.section for b in blocks("# A\n```\n# B\n```\n```\n```")] == ["A", "A"]


def test_a_tag_with_a_line_between_has_no_block() -> None:
    found = page(f"{TAG}\n\n```yaml\na: 1\n```\n{TAG}")
    assert [each.line for each in found if isinstance(each, Stray)] == [1, 6]


def test_a_section_goes_on_in_the_cells_and_headings_below_it() -> None:
    cells = ("## What to type in X", "```\na\n```", "### Envoy\n```\nb\n```")
    assert [b.is_to_type for b in blocks(*cells)] == [True, True]
    assert len({b.part for b in blocks(*cells)}) == 1


def test_a_section_ends_at_a_heading_as_high() -> None:
    found = blocks("## What to type\n### Envoy\n## Sources\n```\na\n```")
    assert [b.is_to_type for b in found] == [False]


def test_a_notebook_is_read_without_its_code(tmp_path: Path) -> None:
    prose = {"cell_type": "markdown", "source": [f"{TAG}\n", POOL]}
    code = {"cell_type": "code", "source": [POOL]}
    path = tmp_path / "page.ipynb"
    path.write_text(json.dumps({"cells": [code, prose]}))
    (block,) = [each for each in pieces(path) if isinstance(each, Block)]
    assert block.place == "page.ipynb:1:2"


# -- what holds for a section ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"## What to type\n{POOL}", "a block to type needs a tag"),
        (f"## What to type in Y\n### Envoy\n{POOL}", "a block to type needs a tag"),
        (
            "## What to type\n<!-- snippet: text -->\n```\na\n```",
            "nobody can type 'text'",
        ),
        ("<!-- snippet: envoi -->\n```\na\n```", "the kind 'envoi' is not known"),
        (f"{TAG}\nprose\n{POOL}", "no block directly below this tag"),
        (f"## What to type\n{TAG}\n{POOL}", "needs an istio DestinationRule"),
        (
            f"## What to type\n{TAG}\n{POOL}\n## Sources\n{RULE}",
            "needs an istio DestinationRule",
        ),
        (
            f"## What to type\n{RULE}\n| `upstream {{ keepalive 32; }}` |",
            "put it into a tagged block",
        ),
        (f"**What to type**\n{RULE}", "needs to be a heading"),
        ("What to type\n---", "needs to be a heading"),
        ("## What to type\n\n    keepalive 32;", "needs to be in a fenced block"),
        ("## What to type\n> ```\n> keepalive 32;", "needs to be in a fenced block"),
        ("## What to type\n<pre>keepalive 32;</pre>", "needs to be in a fenced block"),
        (f"## **What to type**\n{POOL}", "a block to type needs a tag"),
        ("## What to type\nTurn the timer.", "needs at least one block"),
    ],
)
def test_what_escapes_is_told(text: str, complaint: str) -> None:
    (told,) = complaints(page(text))
    assert complaint in told


def test_the_rule_may_stand_in_another_cell_of_the_section() -> None:
    assert complaints(page("## What to type", f"{TAG}\n{POOL}", RULE)) == []


def test_a_cluster_without_a_timer_needs_no_rule() -> None:
    block = "```yaml\ncircuit_breakers: {}\n```"
    assert complaints(page(f"## What to type\n{TAG}\n{block}")) == []


def test_elsewhere_a_block_may_go_without_a_tag() -> None:
    assert complaints(page(f"## Solution\n{POOL}")) == []

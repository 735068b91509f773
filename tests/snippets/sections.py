"""What holds for a section as a whole: nothing to type escapes the programs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from tests.snippets.kinds import KINDS
from tests.snippets.page import TO_TYPE, Block, Piece, Prose, Stray

# What somebody would paste out of the middle of a sentence.
_PASTABLE = re.compile(r"`[^`]*[{};][^`]*`")
_POOL_TIMER = re.compile(r"\bidle_timeout\b")
# Blocks that are no fenced blocks, and headings that are no headings.
_OTHER_BLOCK = re.compile(r" *>.*(?:```|~~~)|.*<(?:pre|code)\b.*")
_OTHER_HEADING = re.compile(rf" *(?:<\w+>)*[*_]*{TO_TYPE}.*")
_INDENTED = re.compile(r"(?: {4}|\t).*\S.*")


def complaints(pieces: Sequence[Piece]) -> list[str]:
    """All that is wrong with the tags and the sections of a page, one line each."""
    found = [*_tags(pieces)]
    typed = [p for p in pieces if not isinstance(p, Stray)]
    sections = groupby(
        (p for p in typed if p.section.startswith(TO_TYPE)),
        key=lambda piece: piece.part,
    )
    for _, part in sections:
        found += _section(list(part))
    return found


def _tags(pieces: Sequence[Piece]) -> Iterator[str]:
    for each in pieces:
        if isinstance(each, Stray):
            place = f"{each.page}:{each.cell}:{each.line}"
            yield f"{place}: there is no block directly below this tag"
        elif isinstance(each, Block):
            yield from _tag(each)
        elif _OTHER_HEADING.fullmatch(each.text):
            yield f"{each.page}: {each.text.strip()!r} needs to be a heading (##)"


def _tag(block: Block) -> Iterator[str]:
    if block.kind is None:
        if block.is_to_type:
            yield f"{block.place}: a block to type needs a tag that tells its kind"
    elif block.kind not in KINDS:
        known = ", ".join(KINDS)
        yield f"{block.place}: the kind {block.kind!r} is not known; known are {known}"
    elif block.is_to_type and not KINDS[block.kind].is_to_type:
        yield f"{block.place}: nobody can type {block.kind!r}; tag it as what it is"


def _section(part: Sequence[Block | Prose]) -> Iterator[str]:
    blocks = [each for each in part if isinstance(each, Block)]
    yield from _inline(part)
    hidden = list(_hidden(part))
    yield from hidden
    if not blocks and not hidden:
        yield f"{part[0].page}: a section {TO_TYPE!r} needs at least one block to type"
    if _has_pool_timer(blocks) and not _has_rule(blocks):
        yield (
            f"{blocks[0].page}: the pool's idle_timeout is shown for Envoy, so the "
            "same section needs an istio DestinationRule"
        )


def _inline(part: Sequence[Block | Prose]) -> Iterator[str]:
    """No configuration hides in a sentence of a section to type."""
    for each in part:
        if isinstance(each, Prose):
            for code in _PASTABLE.findall(each.text):
                yield f"{each.page}: {code} is to be typed: put it into a tagged block"


def _hidden(part: Sequence[Block | Prose]) -> Iterator[str]:
    """Code in a quotation, in HTML, or set in by four blanks has no place for a tag."""
    above = ""
    for each in part:
        text = each.text if isinstance(each, Prose) else ""
        is_code = not above.strip() and _INDENTED.fullmatch(text)
        if isinstance(each, Prose) and (is_code or _OTHER_BLOCK.fullmatch(text)):
            yield f"{each.page}: {text.strip()!r} needs to be in a fenced block"
        above = text


def _has_pool_timer(blocks: Sequence[Block]) -> bool:
    return any(b.kind == "envoy cluster" and _POOL_TIMER.search(b.text) for b in blocks)


def _has_rule(blocks: Sequence[Block]) -> bool:
    return any(b.kind == "istio" and "DestinationRule" in b.text for b in blocks)

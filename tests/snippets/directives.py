"""The tree of directives of an nginx configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.snippets.wrong import Wrong

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<mark>[{};])|"(?P<double>(?:\\.|[^"\\])*)"|"""
    r"""'(?P<single>(?:\\.|[^'\\])*)'|(?P<bare>(?:\\.|\$\{\w*\}|[^\s{};"'])+)"""
)


@dataclass(frozen=True)
class Directive:
    """The words of one directive; ``inside`` is None where it ends with a semicolon."""

    words: list[str]
    inside: list[Directive] | None = None

    @property
    def name(self) -> str:
        return self.words[0]


def parsed(text: str) -> list[Directive]:
    """The directives of a text; Wrong if braces or semicolons do not fit."""
    tokens = list(_tokens(text))
    found, rest = _block(tokens, 0)
    if rest != len(tokens):
        raise Wrong("there is a } too many")
    return found


def _tokens(text: str) -> list[tuple[str, bool]]:
    """Words and marks; with each whether it is a mark."""
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Wrong(f"nginx cannot read this: {text[at : at + 30]!r}")
        at = match.end()
        kind = match.lastgroup
        if kind:
            found.append((match[kind], kind == "mark"))
    return found


def _block(tokens: list[tuple[str, bool]], at: int) -> tuple[list[Directive], int]:
    """Directives up to the end of the block, and where that is."""
    found: list[Directive] = []
    words: list[str] = []
    while at < len(tokens) and tokens[at] != ("}", True):
        word, is_mark = tokens[at]
        at += 1
        if not is_mark:
            words.append(word)
            continue
        if not words:
            raise Wrong(f"there is nothing before {word!r}")
        inside = None
        if word == "{":
            inside, at = _block(tokens, at)
            at = _closed(tokens, at, words[0])
        found.append(Directive(words, inside))
        words = []
    if words:
        raise Wrong(f"there is no semicolon after {' '.join(words)!r}")
    return found, at


def _closed(tokens: list[tuple[str, bool]], at: int, name: str) -> int:
    if at == len(tokens):
        raise Wrong(f"the block of {name} does not end")
    return at + 1

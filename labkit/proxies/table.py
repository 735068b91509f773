"""Every knob of a proxy in the words of each program: the table of docs/proxies.md."""

from __future__ import annotations

from collections.abc import Iterator

from labkit.proxies.program import Directive, Program, Words
from labkit.proxies.programs import PROGRAMS

_TITLES = {"envoy": "Envoy", "nginx": "nginx", "haproxy": "HAProxy"}


def table() -> str:
    """Markdown: a row per knob, a column per program.

    A word in code type is what the program calls it; after "only" stands what it
    can express, everything else is refused.
    """
    programs = list(PROGRAMS.values())
    titles = [_TITLES[program.name] for program in programs]
    lines = [f"| knob | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for section, words in _sections(programs):
        for knob in words[0]:
            cells = [_cell(each[knob]) for each in words]
            lines.append(f"| `{section}.{knob}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _sections(programs: list[Program]) -> Iterator[tuple[str, list[Words]]]:
    yield "server", [program.server for program in programs]
    yield "pool", [program.pool for program in programs]
    yield "pool.retry", [program.retry for program in programs]


def _cell(word: Directive) -> str:
    says = f"`{word.says}`" if word.says else ""
    only = f"only {word.allowed}" if word.allowed else ""
    return "; ".join(part for part in (says, only) if part)

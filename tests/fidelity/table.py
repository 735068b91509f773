"""docs/fidelity.md: what was observed in each world, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.fidelity.measure import Result
from tests.fidelity.stage import WORLDS

PATH = Path(__file__).resolve().parents[2] / "docs" / "fidelity.md"

_HEADERS = {"virtual": "virtual time", "live": "live", "envoy": "Envoy 1.40"}

_INTRODUCTION = """\
# Fidelity: the lab's proxy beside a real Envoy

Each row is one behaviour of HTTP/1.1 connections at a proxy. The same raw client and
the same scripted upstream play it three times: with the lab's own proxy
(`personality = "envoy"`) in virtual time, with the same objects on real sockets, and
with a real Envoy 1.40 in their place. What was observed is written down as it was;
`agrees` means that the three are the same, word for word.

Moments have names: `FIN at I + D + C` was seen there to the microsecond in virtual
time and within {tolerance:.0f} ms on real sockets. I, D, C are the downstream idle
timeout, the drain timeout and the delayed close; M is the longest life of a
connection, T the upstream's keep-alive timeout, d the one-way delay of hop 1, J the
pool's idle timeout. `log` is a line of the access log: code, response flags, response
code details.

`make fidelity` measures anew and fails when something differs from this page;
`python -m tests.fidelity --write` writes it.
"""


def page(results: Iterable[Result], extra: Sequence[str], tolerance: float) -> str:
    """The whole document."""
    several = list(results)
    agreeing = sum(result.verdict == "agrees" for result in several)
    parts = [
        _INTRODUCTION.format(tolerance=tolerance * 1000),
        f"{agreeing} of {len(several)} rows agree.\n",
        *(_section(title, letter, several) for letter, title in _SECTIONS.items()),
        *extra,
    ]
    return "\n".join(parts)


_SECTIONS = {
    "A": "What crosses the proxy",
    "B": "The downstream side",
    "C": "The upstream side",
}


def _section(title: str, letter: str, results: Sequence[Result]) -> str:
    rows = [each for each in results if each.row.number.startswith(letter)]
    head = " | ".join(_HEADERS[world] for world in WORLDS)
    lines = [
        f"## {letter}. {title}\n",
        f"| # | behaviour | {head} | verdict |",
        f"|---|---|{'---|' * len(WORLDS)}---|",
        *map(_line, rows),
        "",
    ]
    return "\n".join(lines)


def _line(result: Result) -> str:
    columns = [cell(result.seen[world]) for world in WORLDS]
    row = result.row
    return f"| {row.number} | {row.title} | {' | '.join(columns)} | {result.verdict} |"


def cell(seen: Sequence[str]) -> str:
    """Observations as one cell of a table."""
    return "<br>".join(_escaped(each) for each in seen)


def _escaped(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return escaped.replace("|", "\\|").replace("_", "\\_")


def committed(text: str) -> Mapping[str, str]:
    """The lines of the tables in a document, by the row's number."""
    rows = (line for line in text.splitlines() if line.startswith("| "))
    return {line.split(" | ")[0].removeprefix("| "): line for line in rows}


def line(result: Result) -> str:
    """The row as the document has it."""
    return _line(result)

"""docs/fidelity.md: what was observed in each world, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.fidelity import chance
from tests.fidelity.chance import COMPARISONS, POINTS, TRIALS, Outcome
from tests.fidelity.measure import Result
from tests.fidelity.stage import WORLDS

PATH = Path(__file__).resolve().parents[2] / "docs" / "fidelity.md"

_INTRODUCTION = """\
# Fidelity: the lab's proxy beside the real ones

Each row is one behaviour of HTTP/1.1 connections at a proxy. The same raw client and
the same scripted upstream play it three times: with the lab's own proxy under the
personality in question in virtual time, with the same objects on real sockets, and
with the real program in their place: Envoy 1.40, nginx 1.22, HAProxy 2.6 (the last
two as Debian 12 has them). What was observed is written down as it was; `agrees` means
that the three are the same, word for word.

Moments have names: `FIN at I + D + C` was seen there to the microsecond in virtual
time and within {tolerance:.0f} ms on real sockets. I, D, C are the downstream idle
timeout, the drain timeout and the delayed close; M is the longest life of a
connection, T the upstream's keep-alive timeout, d the one-way delay of hop 1, J the
pool's idle timeout. `log` is a line of the access log: code, response flags, response
code details.

`make fidelity` measures anew and fails when something differs from this page;
`python -m tests.fidelity --write` writes it.
"""

_SECTIONS = {
    "A": ("What crosses the proxy", "Envoy"),
    "B": ("The downstream side", "Envoy"),
    "C": ("The upstream side", "Envoy"),
    "N": ("nginx, wire only: its log has other words", "nginx"),
    "H": ("HAProxy, wire only: its log has other words", "HAProxy"),
}

_BY_CHANCE = """\
## By chance: failures over the gap

{points} gaps, each tried {trials} times live and with Envoy; a step smoothed by jitter
is fitted to each edge by maximum likelihood. A row agrees if the edges of the two are
at most {apart:.0f} ms apart and no plateau tells them apart by more than {margin:.0%}
(two-proportion tests, {significance:g} shared among all comparisons after Bonferroni).

| # | behaviour | virtual time | live | Envoy | verdict |
|---|---|---|---|---|---|
"""

_REASONS = {
    "C21, virtual column": "in virtual time nothing takes time between a response and "
    "its FIN: there is no half of a millisecond to race in",
    "C30, no endpoint (`UH`)": "a hop of the lab has one host, always; there is no "
    "discovery that could leave it without",
    "C33, several workers": "the lab's proxy is one program on one loop and its Envoy "
    "runs one worker: one pool each; more workers are more pools and the same race",
}


def page(
    results: Iterable[Result], outcomes: Sequence[Outcome], tolerance: float
) -> str:
    """The whole document."""
    several = list(results)
    by_chance = _BY_CHANCE.format(
        points=POINTS,
        trials=TRIALS,
        apart=1000 * chance.APART,
        significance=chance.SIGNIFICANCE,
        margin=chance.MARGIN,
    )
    parts = [
        _INTRODUCTION.format(tolerance=tolerance * 1000),
        *(_section(letter, several) for letter in "ABC"),
        by_chance + "".join(f"{line_of(each)}\n" for each in outcomes),
        *(_section(letter, several) for letter in "NH"),
        "## Left out, and why\n",
        "| what | reason |",
        "|---|---|",
        *(f"| {what} | {reason} |" for what, reason in _REASONS.items()),
        "",
    ]
    return "\n".join(parts)


def _section(letter: str, results: Sequence[Result]) -> str:
    title, program = _SECTIONS[letter]
    rows = [each for each in results if each.row.number.startswith(letter)]
    agreeing = sum(each.verdict == "agrees" for each in rows)
    lines = [
        f"## {letter}. {title}\n",
        f"{agreeing} of {len(rows)} rows agree.\n",
        f"| # | behaviour | virtual time | live | {program} | verdict |",
        "|---|---|---|---|---|---|",
        *map(line, rows),
        "",
    ]
    return "\n".join(lines)


def line(result: Result) -> str:
    """A row as the document has it."""
    columns = [cell(result.seen[world]) for world in WORLDS]
    row = result.row
    return f"| {row.number} | {row.title} | {' | '.join(columns)} | {result.verdict} |"


def line_of(outcome: Outcome) -> str:
    """A row that is a matter of chance, as the document has it."""
    scan = outcome.scan
    columns = [outcome.told(w) if w in scan.worlds else "-" for w in WORLDS]
    verdict = outcome.verdict(COMPARISONS)
    return f"| {scan.number} | {scan.title} | {' | '.join(columns)} | {verdict} |"


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

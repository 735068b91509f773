"""Measure rows and show them, or write docs/fidelity.md.

python -m tests.fidelity                   every row in every world
python -m tests.fidelity A1 C4 virtual     some rows, in some worlds
python -m tests.fidelity N H               all rows of two sections
python -m tests.fidelity --write           the document
python -m tests.fidelity --repeat 20 A B   in rounds: is a row ever other than written?
python -m tests.fidelity --repeat 5 C1 C21 the same of rows that are a matter of chance
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tests.fidelity import table
from tests.fidelity.chance import SCANS, Scan, scan
from tests.fidelity.measure import come_first, measure
from tests.fidelity.rounds import of_the_document
from tests.fidelity.row import Row
from tests.fidelity.rows import all_rows
from tests.fidelity.stage import TOLERANCE, WORLDS


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.fidelity")
    parser.add_argument(
        "what", nargs="*", help="numbers of rows, letters of sections, names of worlds"
    )
    parser.add_argument("--write", action="store_true", help="write docs/fidelity.md")
    parser.add_argument("--repeat", type=int, metavar="N", help="rounds, all worlds")
    given = parser.parse_args()
    worlds = [each for each in WORLDS if each in given.what] or list(WORLDS)
    asked = set(given.what) - set(WORLDS)
    rows = [row for row in all_rows() if _is_asked(row.number, asked)]
    if given.repeat:
        scans = [each for each in SCANS if each.number in asked or not asked]
        repeat(given.repeat, rows, scans)
    else:
        show(rows, worlds, given.write)


def _is_asked(number: str, asked: set[str]) -> bool:
    return not asked or number in asked or number[0] in asked


def show(rows: Sequence[Row], worlds: Sequence[str], write: bool) -> None:
    """What each row looks like in each world; the document on request."""
    if set(worlds) != {"virtual"}:
        come_first()
    results = measure(rows, worlds)
    if write:
        outcomes = [scan(each) for each in SCANS]
        text = table.page(results.values(), outcomes, TOLERANCE["real"])
        table.PATH.write_text(text, encoding="utf-8")
    for result in results.values():
        print(f"{result.row.number}  {result.row.title}: {result.verdict}")
        for world, seen in result.seen.items():
            print(f"    {world}")
            print(*(f"        {each}" for each in seen), sep="\n")


def repeat(times: int, rows: Sequence[Row], scans: Sequence[Scan]) -> None:
    """Round after round, each told when it is over; exit status 1 if any was other.

    Ctrl-C ends it with the rounds so far.
    """
    rounds = of_the_document()
    come_first()
    try:
        for number in range(1, times + 1):
            seen = {n: table.line(result) for n, result in measure(rows).items()}
            seen |= {each.number: table.line_of(scan(each)) for each in scans}
            other = ", ".join(rounds.take(seen)) or "none"
            print(f"round {number} of {times}, other than written: {other}", flush=True)
    except KeyboardInterrupt:
        print()
    print(*rounds.told(), sep="\n")
    raise SystemExit(bool(rounds.others))


main()

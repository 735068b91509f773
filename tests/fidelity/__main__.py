"""Measure rows and show them, or write docs/fidelity.md.

python -m tests.fidelity                 every row in every world
python -m tests.fidelity A1 C4 virtual   some rows, in some worlds
python -m tests.fidelity --write         the document
"""

from __future__ import annotations

import argparse

from tests.fidelity import table
from tests.fidelity.chance import SCANS, scan
from tests.fidelity.measure import measure
from tests.fidelity.rows import all_rows
from tests.fidelity.stage import TOLERANCE, WORLDS


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.fidelity")
    parser.add_argument("what", nargs="*", help="numbers of rows, names of worlds")
    parser.add_argument("--write", action="store_true", help="write docs/fidelity.md")
    given = parser.parse_args()
    worlds = [each for each in WORLDS if each in given.what] or list(WORLDS)
    numbers = set(given.what) - set(WORLDS)
    rows = [row for row in all_rows() if not numbers or row.number in numbers]
    results = measure(rows, worlds)
    if given.write:
        outcomes = [scan(each) for each in SCANS]
        text = table.page(results.values(), outcomes, TOLERANCE["real"])
        table.PATH.write_text(text, encoding="utf-8")
    for result in results.values():
        print(f"{result.row.number}  {result.row.title}: {result.verdict}")
        for world, seen in result.seen.items():
            print(f"    {world}")
            print(*(f"        {each}" for each in seen), sep="\n")


main()

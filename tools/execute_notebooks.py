"""Execute notebooks so that the same code gives the same bytes.

    python tools/execute_notebooks.py [--check] [--into FOLDER] [NOTEBOOK...]

Without names: all of notebooks/. Timing records, widget views and whatever else
differs from run to run is left out; ``--check`` writes nothing and exits 1 when a
file is not what its execution gives.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from labkit.jupyter import MARK, WIDGET_VIEW

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
SECONDS_PER_CELL = 300
# As JupyterLab writes it, so that to open a notebook does not change it; the version
# is the one of the pins, and `labkit start` puts the reader's own in its place.
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
        "version": "3.11",
    },
}
# The output of a cell that answers a prediction is folded until the cell is run.
ANSWER = "answer"
FOLDED = {"collapsed": True, "jupyter": {"outputs_hidden": True}}
ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")


def main() -> int:
    arguments = read_arguments()
    os.environ["PYTHONHASHSEED"] = "0"  # inherited by the kernels
    changed = [each for each in arguments.notebook if not done(each, arguments)]
    if arguments.check and changed:
        print("not what their execution gives:", *(each.name for each in changed))
    return 1 if arguments.check and changed else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path, nargs="*")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--into", type=Path, help="leave the originals alone")
    arguments = parser.parse_args()
    arguments.notebook = arguments.notebook or sorted(NOTEBOOKS.glob("*.ipynb"))
    return arguments


def done(path: Path, arguments: argparse.Namespace) -> bool:
    """Execute one notebook, write it; true if its bytes were right already."""
    print(path.name, flush=True)
    text = executed(path)
    same = text == path.read_text(encoding="utf-8")
    if not arguments.check:
        target = arguments.into / path.name if arguments.into else path
        target.write_text(text, encoding="utf-8")
    return same


def executed(path: Path) -> str:
    """The text of the notebook with fresh outputs; CellExecutionError if a cell fails.

    Every notebook has a kernel of its own and runs in its own folder.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    client.execute()
    settle(notebook)
    refuse_addresses(notebook, path)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def settle(notebook: Any) -> None:
    """Keep of the metadata and outputs only what does not change by itself."""
    notebook.metadata = METADATA
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if ANSWER in cell.metadata.get("tags", ()):
            cell.metadata.update(FOLDED)
        if cell.cell_type == "code":
            cell.outputs = [each for each in map(plain, cell.outputs) if each]


def plain(output: Any) -> Any:
    """An output without its widget view; None when nothing of ours is left.

    Other widgets than ours are progress bars, which only a slow machine shows.
    """
    data = output.get("data")
    if data is None or data.pop(WIDGET_VIEW, None) is None:
        return output
    return output if data and MARK.items() <= output.metadata.items() else None


def refuse_addresses(notebook: Any, path: Path) -> None:
    """An object's address in an output is another one in the next run."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            for text in (output.get("text"), *texts(output.get("data", {}))):
                if found := ADDRESS.search(text or ""):
                    raise SystemExit(f"{path.name}: an output says {found[0]!r}")


def texts(data: dict[str, Any]) -> list[str]:
    return [str(data[kind]) for kind in data if kind.startswith("text/")]


if __name__ == "__main__":
    sys.exit(main())

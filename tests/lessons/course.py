"""The course as its readers get it: cells, untouched answers, folded solutions."""

import itertools
import re
from pathlib import Path
from typing import Any

import nbformat

FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"
_FOLDED = re.compile(r"<details>.*?```python\n(.*?)```.*?</details>", re.DOTALL)


def cells(name: str) -> list[Any]:
    """The cells of a notebook."""
    return list(nbformat.read(FOLDER / name, as_version=4).cells)


def imports(name: str) -> str:
    """The import lines of a notebook, for its solutions."""
    code = "\n".join(cell.source for cell in cells(name) if cell.cell_type == "code")
    lines = re.findall(r"^(?:import|from) .*$", code, flags=re.MULTILINE)
    return "\n".join(dict.fromkeys(lines))


def solutions(name: str) -> list[str]:
    """The code of each folded solution, in order."""
    text = [cell.source for cell in cells(name) if cell.cell_type == "markdown"]
    return [code for source in text for code in _FOLDED.findall(source)]


def checks(name: str) -> list[str]:
    """The code of each cell that asks for a verdict, as it was left."""
    code = [cell.source for cell in cells(name) if cell.cell_type == "code"]
    return [source for source in code if ".check_" in source]


def notebooks() -> list[str]:
    """Their names, in order."""
    return sorted(path.name for path in FOLDER.glob("*.ipynb"))


def untouched(name: str, check: str) -> str:
    """A check's cell after the cells that define functions, as they were left."""
    code = [cell.source for cell in cells(name) if cell.cell_type == "code"]
    before = itertools.takewhile(lambda source: source != check, code)
    programs = [each for each in before if each.startswith(("def ", "async def "))]
    return "\n".join([*programs, check])


def verdict(name: str, code: str) -> Any:
    """What the last line of some code says, after the notebook's imports."""
    *before, last = code.strip().splitlines()
    world: dict[str, Any] = {}
    exec("\n".join([imports(name), *before]), world)
    return eval(last, world)

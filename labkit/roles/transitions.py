"""What tables of transitions have in common: how they are refused and drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any


class ImpossibleTransition(RuntimeError):
    """A signal came that the state of the connection does not allow: a bug."""


def impossible(
    state: Enum, signal: Enum, row: Mapping[Any, object]
) -> ImpossibleTransition:
    """The error for a signal that is not in the row of its state."""
    allowed = ", ".join(known.value for known in row) or "nothing more"
    return ImpossibleTransition(
        f"a connection that is {state.value} cannot be told {signal.value!r}; "
        f"allowed: {allowed}"
    )


def to_table(meaning: Mapping[Any, str], words: Iterable[Enum]) -> str:
    """What words of a table mean, as a table in Markdown."""
    rows = [f"| `{word.value}` | {meaning[word]} |" for word in words]
    return "\n".join(["| | |", "|---|---|", *rows]) + "\n"


def to_mermaid(begin: Enum, table: Mapping[Any, Mapping[Any, Enum]]) -> str:
    """A table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {begin.value}"]
    for state, row in table.items():
        is_end = all(target is state for target in row.values())
        lines += [f"    {state.value} --> [*]"] if is_end else _edges(state, row)
    return "\n".join(lines) + "\n"


def _edges(state: Enum, row: Mapping[Any, Enum]) -> Iterable[str]:
    for target in dict.fromkeys(row.values()):
        signals = [signal.value for signal in row if row[signal] is target]
        yield f"    {state.value} --> {target.value}: {', '.join(signals)}"

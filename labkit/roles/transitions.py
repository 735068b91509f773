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


def to_mermaid(begin: Enum, table: Mapping[Any, Mapping[Any, Enum]]) -> str:
    """A table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {begin.value}"]
    lines += [line for state, row in table.items() for line in _edges(state, row)]
    lines += [f"    {state.value} --> [*]" for state in table if _is_end(table, state)]
    return "\n".join(lines) + "\n"


def _is_end(table: Mapping[Any, Mapping[Any, Enum]], state: Enum) -> bool:
    return all(target is state for target in table[state].values())


def _edges(state: Enum, row: Mapping[Any, Enum]) -> Iterable[str]:
    for target in dict.fromkeys(row.values()):
        signals = [signal.value for signal in row if row[signal] is target]
        yield f"    {state.value} --> {target.value}: {', '.join(signals)}"

"""A row of the table: a story, and the list of all rows in their order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from labkit.net import Answer
from labkit.settings import Scenario
from tests.fidelity.stage import Stage, base

Knobs = Mapping[str, object]
Story = Callable[[Stage], Awaitable[list[str]]]
# A row is told as observations: short phrases that are equal where the worlds agree.


@dataclass(frozen=True, eq=False)
class Row:
    """One behaviour: how it is provoked, and what is written down of it.

    ``program`` is the real one; ``changes`` are knobs that differ from a proxy of
    its personality with everything else at its default; ``cases`` are further
    ones, by name, under each of which the story is told once; ``answer`` is what
    the upstream's host does with a SYN.
    """

    number: str
    title: str
    story: Story
    changes: Knobs = field(default_factory=dict)
    cases: Mapping[str, Knobs] = field(default_factory=lambda: {"": {}})
    answer: Answer = "accept"
    program: str = "envoy"

    def scenario(self, case: str) -> Scenario:
        """The two hops of this row."""
        changes = {**self.changes, **self.cases[case]}
        plain = base(self.program)
        return plain.replace_all(changes) if changes else plain

    def joined(self, told: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """The observations of all cases; what they share is said once."""
        if len(told) == 1:
            return next(iter(told.values()))
        return tuple(merged([(case, "; ".join(seen)) for case, seen in told.items()]))


def merged(observations: list[tuple[str, str]]) -> list[str]:
    """Observations by case; cases that look the same share a line."""
    cases: dict[str, list[str]] = {}
    for case, what in observations:
        cases.setdefault(what, []).append(case)
    if len(cases) == 1 and len(observations) > 3:
        return [f"all {len(observations)} cases: {next(iter(cases))}"]
    return [f"{', '.join(names)}: {what}" for what, names in cases.items()]


ROWS: dict[str, Row] = {}


def row(
    number: str,
    title: str,
    changes: Knobs | None = None,
    cases: Mapping[str, Knobs] | None = None,
    answer: Answer = "accept",
    program: str = "envoy",
) -> Callable[[Story], Story]:
    """Enter a story into the table under its number."""

    def enter(story: Story) -> Story:
        if number in ROWS:
            raise ValueError(f"row {number} is there twice")
        ROWS[number] = Row(
            number, title, story, changes or {}, cases or {"": {}}, answer, program
        )
        return story

    return enter

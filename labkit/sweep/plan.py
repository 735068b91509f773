"""What is varied, as points: each with its values, its seed and its scenario.

A point's seed comes from the scenario's seed and from the point's own values, never
from its place or from who runs it: the same table, whatever the order and the number
of workers, and the same row in a smaller grid.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from typing import Any

from labkit.lab.engines import check
from labkit.settings import Scenario, SettingsError
from labkit.settings.validators import shown

# Each point is built once before the first run, about 0.3 ms: half a minute for this
# many, and days for a virtual run of each.
LIMIT = 100_000
ALLOWED = f"allowed: 1 to {LIMIT:,}"

_REQUESTS = "traffic.requests"

Vary = Mapping[str, Iterable[Any]] | Iterable[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Point:
    """The values of the varied knobs, in the order of the plan's paths."""

    index: int
    values: tuple[Any, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All points of a sweep, each of them checked."""

    scenario: Scenario
    paths: tuple[str, ...]
    points: tuple[Point, ...]
    engine: str = "virtual"
    proxy: str = "labkit"

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        vary: Vary,
        engine: str = "virtual",
        proxy: str = "labkit",
    ) -> Plan:
        """Make the points and build each once; SettingsError for what cannot be run."""
        paths, changes = _changes(scenario, vary)
        points = tuple(_points(scenario, paths, changes, engine, proxy))
        _refuse_twins(paths, points)
        return cls(scenario, paths, points, engine, proxy)

    def at(self, point: Point) -> Scenario:
        """The scenario of one point."""
        return scenario_at(self.scenario, self.paths, point)

    def requests(self, points: Iterable[Point]) -> int:
        """How many requests these points send in all."""
        if _REQUESTS in self.paths:
            at = self.paths.index(_REQUESTS)
            return sum(point.values[at] for point in points)
        return self.scenario.traffic.requests * sum(1 for _ in points)


def scenario_at(scenario: Scenario, paths: tuple[str, ...], point: Point) -> Scenario:
    """The scenario with the point's knobs turned and the point's own seed."""
    changes = dict(zip(paths, point.values, strict=True))
    return scenario.replace_all({**changes, "seed": point.seed})


def told(paths: tuple[str, ...], values: tuple[Any, ...]) -> str:
    """A point in words."""
    pairs = zip(paths, values, strict=True)
    return ", ".join(f"{path} = {_number(value)}" for path, value in pairs)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(value)


# -- from grids and lists to changes ---------------------------------------------------


def _changes(
    scenario: Scenario, vary: Vary
) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    if isinstance(vary, Mapping):
        return _product(scenario, vary)
    if isinstance(vary, str) or not isinstance(vary, Iterable):
        raise _not_a_grid(vary)
    return _listed(scenario, vary)


def _not_a_grid(vary: object) -> SettingsError:
    return SettingsError(
        f"what is varied is {shown(vary)}; allowed: a table of paths with lists of "
        "values, or a list of tables of changes"
    )


def _product(
    scenario: Scenario, vary: Mapping[str, Iterable[Any]]
) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """Every combination; the last path changes fastest."""
    paths = tuple(_known(scenario, path) for path in vary)
    if len(set(paths)) < len(paths):
        raise SettingsError("a path is given twice; allowed: once, as hop or as hops")
    axes = [_axis(*each) for each in zip(paths, vary.values(), strict=True)]
    check_count(map(_length, axes))
    lists = [_items(path, axis) for path, axis in zip(paths, axes, strict=True)]
    check_count(map(len, lists))
    combined = itertools.product(*lists)
    return paths, [dict(zip(paths, each, strict=True)) for each in combined]


def check_count(lengths: Iterable[int]) -> None:
    """Refuse a grid of so many values per knob if it has no points, or too many."""
    sizes = list(lengths)
    count = math.prod(sizes) if sizes else 0
    if not 1 <= count <= LIMIT:
        shape = " x ".join(f"{size:,}" for size in sizes)
        of = f" ({shape})" if len(sizes) > 1 else ""
        raise SettingsError(f"the grid has {count:,} points{of}; {ALLOWED}")


def _axis(path: str, values: Any) -> Iterable[Any]:
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise SettingsError(f"{path} is varied over {shown(values)}; allowed: a list")
    return values


def _length(axis: Iterable[Any]) -> int:
    """How long a list is, without going through it; 1 for what cannot tell."""
    return len(axis) if isinstance(axis, Sized) else 1


def _items(path: str, axis: Iterable[Any]) -> list[Any]:
    items = [_plain(value) for value in itertools.islice(axis, LIMIT + 1)]
    if not items:
        raise SettingsError(f"{path} is varied over no values: 0 points; {ALLOWED}")
    return items


def _plain(value: Any) -> Any:
    """numpy's numbers as Python's own."""
    return value.item() if hasattr(value, "dtype") and value.ndim == 0 else value


def _listed(
    scenario: Scenario, vary: Iterable[Mapping[str, Any]]
) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """The tables of a list; what one of them does not name stays as it is."""
    changes = []
    for each in itertools.islice(vary, LIMIT + 1):
        if not isinstance(each, Mapping):
            raise _not_a_grid(vary)
        changes.append({_same(path): _plain(value) for path, value in each.items()})
    count = "more" if len(changes) > LIMIT else len(changes)
    if not 1 <= len(changes) <= LIMIT:
        raise SettingsError(f"the list has {count} points; {ALLOWED}")
    paths = tuple(dict.fromkeys(path for each in changes for path in each))
    if not paths:
        raise SettingsError("the list of changes changes nothing; name a path")
    for path in paths:
        _known(scenario, path)
    return paths, changes


def _known(scenario: Scenario, path: str) -> str:
    if not isinstance(path, str):
        raise SettingsError(f"{shown(path)} is not a path such as hop.0.link.delay")
    scenario.get(path)
    return _same(path)


def _same(path: str) -> str:
    """Of the two spellings of a hop the one of TOML."""
    is_python = isinstance(path, str) and path.startswith("hops.")
    return f"hop.{path[5:]}" if is_python else path


# -- from changes to points ------------------------------------------------------------


def _points(
    scenario: Scenario,
    paths: tuple[str, ...],
    changes: list[dict[str, Any]],
    engine: str,
    proxy: str,
) -> Iterator[Point]:
    for index, change in enumerate(changes):
        made = scenario.replace_all(change)
        check(made, engine, proxy)
        # As the scenario keeps them: 5 and 5.0 are one value, with one seed.
        values = tuple(made.get(path) for path in paths)
        seed = made.seed if "seed" in change else _seed(scenario.seed, paths, values)
        yield Point(index, values, seed)


def _seed(base: int, paths: tuple[str, ...], values: tuple[Any, ...]) -> int:
    """53 bits of a hash: exact in every program that reads JSON."""
    text = f"{base} {_key(paths, values)}"
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 11


def _key(paths: tuple[str, ...], values: tuple[Any, ...]) -> str:
    """The point as text, the same for every order of the paths."""
    return json.dumps(dict(zip(paths, values, strict=True)), sort_keys=True)


def _refuse_twins(paths: tuple[str, ...], points: Iterable[Point]) -> None:
    seen: dict[str, int] = {}
    for point in points:
        first = seen.setdefault(_key(paths, point.values), point.index)
        if first != point.index:
            raise SettingsError(
                f"points {first} and {point.index} are the same, "
                f"{told(paths, point.values)}; allowed: each once (vary seed to repeat)"
            )


def fingerprint(plan: Plan) -> str:
    """A word that two plans share if their points are the same, in the same order."""
    text = "\n".join(f"{_key(plan.paths, p.values)} {p.seed}" for p in plan.points)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

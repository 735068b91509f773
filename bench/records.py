"""The whole records of many runs, kept, and held against those of other code.

    python -m bench.records --save records.json.gz      # before a change
    python -m bench.records --against records.json.gz   # after it

A change that only moves or rewrites code leaves every record as it was, event by
event, to the last digit. The runs are all shipped scenarios, and chains of every
personality with bursts, bodies, jitter, limits, retries and schedules.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import labkit
from labkit.settings import Event, Hop, LabSettings, Scenario

SHIPPED = Path(__file__).resolve().parent.parent / "data" / "scenarios"
REQUESTS = 150

# What is done to a chain of two hops, beside its personality.
VARIATIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "bursts": {"traffic.burst": 7, "hop.1.pool.max_connections": 3},
    "bodies": {
        "traffic.methods": {"GET": 1.0, "POST": 2.0},
        "traffic.body_bytes": 70_000,
    },
    "jitter": {"hop.0.link.jitter": 0.002, "hop.1.link.jitter": 0.004},
    "limits": {
        "hop.0.server.max_requests_per_connection": 4,
        "hop.1.server.max_requests_per_connection": 3,
        "hop.1.pool.max_connection_duration": 20.0,
        "hop.1.server.announce": True,
    },
    "old age": {"hop.0.server.max_connection_duration": 9.0},
    "deaths": {
        "origin.fails_after_execute": 0.2,
        "hop.1.pool.retry.retry_on": ["reset", "connect-failure"],
        "hop.1.pool.retry.num_retries": 2,
    },
    "a clock": {"traffic.arrivals": "periodic", "traffic.jitter": 0.01},
    "late timers": {"hop.1.server.tick": 0.5, "hop.1.server.hint": True},
    "HTTP/1.0": {"traffic.http_version": "1.0"},
    "short patience": {"hop.1.pool.per_try_timeout": 0.015},
    "garbage": {"origin.script": "garbage"},
}
PERSONALITIES = ("plain", "envoy", "nginx", "haproxy", "alb")


def scenarios() -> Iterator[tuple[str, Scenario]]:
    """Every run by its name."""
    for path in sorted(SHIPPED.rglob("*.toml")):
        scenario = Scenario.from_toml(path)
        some = min(scenario.traffic.requests, REQUESTS)
        yield path.stem, scenario.replace("traffic.requests", some)
    for personality in PERSONALITIES:
        for name, changes in VARIATIONS.items():
            yield f"{personality}, {name}", _chain(personality).replace_all(changes)
        yield f"{personality}, a deploy", _deployed(_chain(personality))


def _chain(personality: str) -> Scenario:
    return Scenario(hops=(Hop(), Hop())).replace_all(
        {
            "name": personality,
            "seed": 11,
            "traffic.rate": 0.5,
            "traffic.requests": REQUESTS,
            "hop.0.server.personality": personality,
            "hop.0.link.delay": 0.003,
            "hop.0.pool.idle_timeout": 30.0,
            "hop.1.link.delay": 0.01,
            "hop.1.server.idle_timeout": 2.0,
            "origin.service_time": 0.004,
        }
    )


def _deployed(scenario: Scenario) -> Scenario:
    events = (
        Event(at=20.0, action="drain", path="hop.1"),
        Event(at=25.0, action="deploy", path="hop.1", value=0.5),
        Event(at=60.0, path="hop.1.link.delay", value=0.03),
    )
    return Scenario(
        name=scenario.name,
        seed=scenario.seed,
        traffic=scenario.traffic,
        hops=scenario.hops,
        origin=scenario.origin,
        lab=LabSettings(schedule=events),
    )


def record(scenario: Scenario) -> list[str]:
    """Everything that a run tells, a line each."""
    run = labkit.run(scenario, progress=False, trace=True)
    return [
        run.summary(),
        *map(repr, run.exchanges),
        *map(repr, run.trace),
        *map(repr, run.lives),
        *map(repr, run.hops),
    ]


def records() -> dict[str, list[str]]:
    """The record of every run."""
    return {name: record(scenario) for name, scenario in scenarios()}


def differences(old: dict[str, list[str]], new: dict[str, list[str]]) -> list[str]:
    """For each run that is not the same, the first line that is not."""
    told = [
        f"{name}: only in one of the two" for name in sorted(old.keys() ^ new.keys())
    ]
    for name in old.keys() & new.keys():
        pairs = zip(old[name], new[name], strict=False)
        first = next((pair for pair in pairs if pair[0] != pair[1]), None)
        if first is not None:
            told.append(f"{name}:\n  was {first[0]}\n  is  {first[1]}")
        elif len(old[name]) != len(new[name]):
            told.append(f"{name}: {len(old[name])} lines, now {len(new[name])}")
    return told


def main() -> int:
    """Save the records, or compare them; exit status 1 if some differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--save", type=Path, help="write the records to this file")
    what.add_argument("--against", type=Path, help="compare with those of this file")
    arguments = parser.parse_args()
    now = records()
    if arguments.save:
        with gzip.open(arguments.save, "wt", encoding="utf-8") as file:
            json.dump(now, file)
        print(f"{len(now)} records, {sum(map(len, now.values()))} lines")
        return 0
    with gzip.open(arguments.against, "rt", encoding="utf-8") as file:
        told = differences(json.load(file), now)
    print("\n".join(told) or f"all {len(now)} records are the same")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())

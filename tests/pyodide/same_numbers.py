"""Runs the scenarios and says what came out: under CPython and in WebAssembly.

The text that this gives is compared byte by byte, so it holds every number with
all its digits and no time of the machine.
"""

import json
import sys
from pathlib import Path

import labkit

FOLDER = Path("/checkout" if sys.platform == "emscripten" else ".")
SCENARIOS = sorted((FOLDER / "data" / "scenarios").glob("*.toml"))
IN_FULL = "alb-envoy-node"


def answers() -> dict[str, object]:
    return {path.stem: numbers(path) for path in SCENARIOS}


def numbers(path: Path) -> dict[str, object]:
    scenario = labkit.Scenario.from_toml(path)
    if path.stem != IN_FULL:
        scenario = scenario.replace("traffic.requests", 300)
    told = labkit.run(scenario, engine="virtual", progress=False).to_json()
    told.pop("wall_seconds")
    return {"told": told, "trace": trace(scenario)}


def trace(scenario: labkit.Scenario) -> list[str]:
    """Every segment of a short run, to the last digit of its moments."""
    short = scenario.replace("traffic.requests", 40)
    return [repr(event) for event in labkit.run(short, progress=False).trace]


text = json.dumps(answers(), sort_keys=True)
if __name__ == "__main__" and sys.platform != "emscripten":
    print(text)
text  # noqa: B018 - what WebAssembly hands back

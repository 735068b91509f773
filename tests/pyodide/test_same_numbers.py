"""WebAssembly and CPython give the same numbers to the last digit."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LOOPBACK = Path(__file__).resolve().parent
ROOT = LOOPBACK.parent.parent
CACHE = ROOT / ".cache" / "pyodide"
SNIPPET = LOOPBACK / "same_numbers.py"
SCENARIOS = sorted(path.stem for path in (ROOT / "data" / "scenarios").glob("*.toml"))

pytestmark = pytest.mark.pyodide


def output(*words: str | Path) -> Any:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def wasm() -> Any:
    node = shutil.which("node")
    if node is None or not (CACHE / "complete").exists():
        pytest.skip("needs Node and `make pyodide`")
    return output(node, LOOPBACK / "run.mjs", CACHE, ROOT, SNIPPET)


@pytest.fixture(scope="module")
def native() -> Any:
    return output(sys.executable, SNIPPET)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_webassembly_tells_what_cpython_tells(
    scenario: str, wasm: Any, native: Any
) -> None:
    assert wasm[scenario]["told"] == native[scenario]["told"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_webassembly_carries_the_same_segments_at_the_same_moments(
    scenario: str, wasm: Any, native: Any
) -> None:
    assert wasm[scenario]["trace"] == native[scenario]["trace"]


def test_the_command_line_prints_that_very_json(wasm: Any) -> None:
    file = ROOT / "data" / "scenarios" / "alb-envoy-node.toml"
    told = output(sys.executable, "-m", "labkit.cli", "run", file, "--json")
    told.pop("wall_seconds")
    assert told == wasm["alb-envoy-node"]["told"]

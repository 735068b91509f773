"""An environment made exactly as binder/ says runs every notebook to the same bytes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BINDER = ROOT / "binder"
PIP_SAYS_OTHERWISE = {"PIP_CONSTRAINT", "PYTHONPATH", "VIRTUAL_ENV"}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

pytestmark = pytest.mark.binder


def carried_out(*words: str | Path) -> str:
    """One command from the root of the checkout, as the builder of an image runs it."""
    clean = {k: v for k, v in os.environ.items() if k not in PIP_SAYS_OTHERWISE}
    done = subprocess.run(
        words, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with runtime.txt's Python and our pins."""
    folder = tmp_path_factory.mktemp("binder")
    carried_out(of_version(wanted_version()), "-m", "venv", folder)
    python = folder / "bin" / "python"
    requirements = BINDER / "requirements.txt"
    carried_out(python, "-m", "pip", "install", "--quiet", "-r", requirements)
    return python


def wanted_version() -> str:
    return (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")


def of_version(version: str) -> str:
    if "{}.{}".format(*sys.version_info) == version:
        return sys.executable
    found = shutil.which(f"python{version}")
    if found is None:
        pytest.skip(f"Python {version}, which binder/runtime.txt names, is not here")
    return found


def test_everything_in_it_is_pinned(python: Path) -> None:
    pins = (ROOT / "constraints.txt").read_text().lower()
    pins = {line.split(" ")[0] for line in pins.splitlines()}
    frozen = carried_out(python, "-m", "pip", "freeze", "--exclude-editable")
    ours = [line.lower() for line in frozen.splitlines() if "==" in line]
    assert ours and [line for line in ours if line not in pins] == []


def test_every_notebook_gives_there_the_bytes_that_are_committed(
    python: Path, tmp_path: Path
) -> None:
    assert NOTEBOOKS
    carried_out(python, "tools/execute_notebooks.py", "--into", tmp_path, *NOTEBOOKS)
    differ = [
        each.name
        for each in NOTEBOOKS
        if (tmp_path / each.name).read_bytes() != each.read_bytes()
    ]
    assert differ == []

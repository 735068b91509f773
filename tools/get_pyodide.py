"""Put Pyodide and the pure-Python wheels of the core into .cache/pyodide.

    python tools/get_pyodide.py

Needs npm. The versions are fixed here and in constraints.txt; a second call finds
everything in place and asks nobody.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".cache" / "pyodide"
PYODIDE = "pyodide@314.0.7"
PYTHON = "3.14"  # the Python inside it
CORE = ["aiohttp", "h11", "tqdm"]
UNDERNEATH = [  # what aiohttp needs; named, for pip cannot resolve for another Python
    "aiohappyeyeballs",
    "aiosignal",
    "attrs",
    "frozenlist",
    "idna",
    "multidict",
    "propcache",
    "typing_extensions",
    "yarl",
]


def main() -> None:
    stamp = FOLDER / "complete"
    wanted = f"{PYODIDE}\n{(ROOT / 'constraints.txt').read_text()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    get_pyodide()
    get_wheels()
    stamp.write_text(wanted)


def get_pyodide() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is not installed; it brings Pyodide")
    words = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund"]
    subprocess.run([npm, "install", *words, PYODIDE], cwd=FOLDER, check=True)


def get_wheels() -> None:
    """Only wheels without compiled parts, unpacked into one folder."""
    pure = ["--only-binary=:all:", "--platform", "any", "--implementation", "py"]
    pure += ["--abi", "none", "--python-version", PYTHON, "--no-deps"]
    words = ["--quiet", "--constraint", str(ROOT / "constraints.txt"), *pure]
    words += ["--target", str(FOLDER / "site"), *CORE, *UNDERNEATH]
    subprocess.run([sys.executable, "-m", "pip", "install", *words], check=True)


if __name__ == "__main__":
    main()

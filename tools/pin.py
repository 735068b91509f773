"""Write constraints.txt: exact pins of every dependency, direct or not.

    python tools/pin.py

Asks pip to resolve all extras for each Python that labkit supports, without
installing anything. A pin that not all of them share gets an environment marker.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EDITABLE = ["editables"]  # what hatchling asks for when it builds `-e .`
ELSEWHERE = {  # needed on other systems than the one that resolves
    "appnope": "platform_system == 'Darwin'",
    "colorama": "platform_system == 'Windows'",
    "pywinpty": "os_name == 'nt'",
}
HEADER = "# Every dependency of labkit, direct or not. Made by tools/pin.py.\n"


def main() -> None:
    pins = {python: resolved(wanted(), python) for python in PYTHONS}
    lines = [line for name in names(pins) for line in told(name, pins)]
    lines += [
        f"{name}=={newest(name)} ; {marker}" for name, marker in ELSEWHERE.items()
    ]
    body = "\n".join(sorted(lines, key=str.lower))
    (ROOT / "constraints.txt").write_text(f"{HEADER}{body}\n")


def wanted() -> list[str]:
    """Everything that pyproject.toml asks for, extras and build system too."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = settings["project"]["optional-dependencies"].values()
    return [
        *settings["build-system"]["requires"],
        *settings["project"]["dependencies"],
        *(each for extra in extras for each in extra),
        *EDITABLE,
    ]


def resolved(needs: list[str], python: str) -> dict[str, str]:
    """Name to version of all that pip would install for this Python."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        words = [
            *("install", "--quiet", "--dry-run", "--ignore-installed"),
            *("--only-binary=:all:", "--python-version", python),
            *("--target", folder, "--report", str(report)),
        ]
        subprocess.run([sys.executable, "-m", "pip", *words, *needs], check=True)
        found = json.loads(report.read_text())["install"]
    return {each["metadata"]["name"]: each["metadata"]["version"] for each in found}


def newest(name: str) -> str:
    """The newest version of a package that need not run here."""
    words = ["index", "versions", name]
    told = subprocess.run(
        [sys.executable, "-m", "pip", *words], check=True, capture_output=True
    )
    return told.stdout.decode().split("(")[1].split(")")[0]


def names(pins: dict[str, dict[str, str]]) -> list[str]:
    return sorted({name for each in pins.values() for name in each}, key=str.lower)


def told(name: str, pins: dict[str, dict[str, str]]) -> list[str]:
    """One line, or one per Python where they differ."""
    versions = [pins[python].get(name) for python in PYTHONS]
    if len(set(versions)) == 1:
        return [f"{name}=={versions[0]}"]
    return [
        f"{name}=={version} ; python_version == '{python}'"
        for python, version in zip(PYTHONS, versions, strict=True)
        if version
    ]


if __name__ == "__main__":
    main()

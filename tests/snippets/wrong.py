"""What is wrong with a snippet, in one sentence, and how a program is asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

PATIENCE = 30.0  # seconds in which a program has read a configuration


class Wrong(AssertionError):
    """A snippet that must not be shown to anybody; its text says why."""


class Missing(Exception):
    """The program that has to judge a snippet is not installed."""


def ask(*words: str | Path, folder: Path, text: str = "") -> tuple[int, str]:
    """Runs a program in a folder on a text: its status and all that it wrote."""
    done = subprocess.run(
        words,
        cwd=folder,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout


def shown(value: object) -> str:
    """A value in a complaint, short enough to read."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

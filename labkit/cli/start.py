"""``labkit start``: JupyterLab on the first notebook."""

from __future__ import annotations

import os
import shutil
import sys
from argparse import Namespace
from pathlib import Path

from labkit.resources import notebooks
from labkit.settings import SettingsError

FIRST = "00-start-here.ipynb"


def start(arguments: Namespace) -> int:
    """Replace this process by JupyterLab; further words are passed on to it."""
    jupyter = Path(sys.executable).with_name("jupyter-lab")
    found = str(jupyter) if jupyter.exists() else shutil.which("jupyter-lab")
    if found is None:
        raise SettingsError("JupyterLab is not installed: pip install jupyterlab")
    folder = notebooks()
    first = f"--LabApp.default_url=/lab/tree/{FIRST}"  # also in the printed address
    words = [found, f"--notebook-dir={folder}", first, *arguments.passed_on]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        words.append("--allow-root")
    sys.stdout.flush()
    os.execv(found, words)

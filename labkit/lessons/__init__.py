"""What the notebooks ask and check: plain functions, no widgets, no pictures.

Each notebook has a module, or a package, of its name.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    formerly = import_module(f"{__name__}.formerly")
    if name not in formerly.NOW:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return formerly.module(name)

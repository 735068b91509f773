"""``labkit explain``: an error string to its cause."""

from __future__ import annotations

import json
from argparse import Namespace

UNKNOWN = 1


def explain(arguments: Namespace) -> int:
    """Print what the index knows of the words; returns the exit status (1: nothing)."""
    from labkit.reference.errors import explain as look_up

    told = look_up(" ".join(arguments.text))
    print(json.dumps(told.as_dict()) if arguments.json else told)
    return UNKNOWN if told.entry is None else 0

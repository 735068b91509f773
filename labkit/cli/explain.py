"""``labkit explain``: an error string to its cause."""

from __future__ import annotations

from argparse import Namespace


def explain(arguments: Namespace) -> int:
    """Print what the index knows of the words; returns the exit status."""
    from labkit.doctor import explain as look_up

    print(look_up(" ".join(arguments.text)))
    return 0

"""The command line: every verb also works without Jupyter."""

from __future__ import annotations

import sys
from collections.abc import Sequence

INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """Carry out one command line; returns the exit status.

    What it needs is imported here, so that Ctrl-C is one line from the first moment.
    """
    try:
        from labkit.cli.command import carry_out

        return carry_out(list(sys.argv[1:] if words is None else words))
    except KeyboardInterrupt:
        sys.stderr.write("labkit: interrupted\n")
        return INTERRUPTED

"""The command line: every verb also works without Jupyter."""

from labkit.cli.main import main

__all__ = ["main"]

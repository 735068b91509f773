"""Pictures of runs: they draw records and run nothing."""

from __future__ import annotations

from labkit.figures.draw import paper, png
from labkit.figures.headline import alt_text
from labkit.figures.sequence import sequence

__all__ = ["alt_text", "paper", "png", "sequence"]

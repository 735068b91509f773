"""How many points to hand out at once.

Small jobs cost a hand-over each, large ones leave a worker idle at the end: a job is
worth a quarter of a second, and less when little is left.
"""

from __future__ import annotations

# Seconds: hundreds of times the cost of a hand-over, local or through Dask.
JOB = 0.25

# Jobs that a worker has at hand: it begins the next one while we read the last.
AHEAD = 2


class Pace:
    """The size of the next job, learnt from those that are done."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._points = 0
        self._seconds = 0.0

    @property
    def jobs(self) -> int:
        """How many jobs to have out at the same time."""
        return AHEAD * self._slots

    def took(self, points: int, seconds: float) -> None:
        """A job of so many points took so long."""
        self._points += points
        self._seconds += seconds

    def size(self, left: int) -> int:
        """Points of the next job while so many are not handed out; 1 at the least."""
        if not self._points:
            return 1
        worth = JOB * self._points / max(self._seconds, 1e-9)
        # Every worker shall still get several: the last jobs are single points.
        share = left / (2 * self.jobs)
        return max(1, int(min(worth, share)))

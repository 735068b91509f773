"""What a measurement hands out: a row of the table, and how it was timed."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Row:
    """One figure: what, how much, of how many, and what it should be."""

    what: str
    value: float
    unit: str
    n: int
    wanted: str
    holds: bool | None
    spread: str = ""

    def __str__(self) -> str:
        verdict = {True: "yes", False: "NO", None: "-"}[self.holds]
        return (
            f"{self.what:<62} {self.value:>11.4g} {self.unit:<9} n={self.n:<3} "
            f"{self.wanted:<14} {verdict:<4} {self.spread}"
        )


# Prints the most memory that a process has had, in MB: last words of a child's code.
# Not ru_maxrss, which begins with what the parent had when it started the child.
PEAK = """
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 1024)
"""


def spread(values: list[float]) -> str:
    """The smallest and the largest of them."""
    return f"{min(values):.4g}..{max(values):.4g}"


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began

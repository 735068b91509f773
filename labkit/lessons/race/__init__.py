"""The race: its scenario, what was measured of it, and its exercises."""

from labkit.experiments.gaps import edges
from labkit.lessons.race.mending import check_mended
from labkit.lessons.race.probing import check_claim, check_probes, check_width
from labkit.lessons.race.window import (
    DELAY,
    RECORDING,
    TIMEOUT,
    around,
    guessed,
    off_the_window,
    race,
    recorded,
    trial,
)

__all__ = [
    "DELAY",
    "RECORDING",
    "TIMEOUT",
    "around",
    "check_claim",
    "check_mended",
    "check_probes",
    "check_width",
    "edges",
    "guessed",
    "off_the_window",
    "race",
    "recorded",
    "trial",
]

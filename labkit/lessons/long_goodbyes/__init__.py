"""Long goodbyes: servers that leave in stages, and what their clients meet."""

from labkit.lessons.long_goodbyes.budget import check_leaving
from labkit.lessons.long_goodbyes.stages import (
    PRESETS,
    RECORDED,
    RECORDING,
    around,
    counted,
    goodbye,
    panel_scenario,
    patience,
    probe,
    probes_of,
    probing,
    recorded,
    series_of,
)
from labkit.lessons.long_goodbyes.ways import (
    DEPLOYS,
    WAYS,
    deploy,
    deployed,
    in_words,
    leaving,
    short_lives,
)

__all__ = [
    "DEPLOYS",
    "PRESETS",
    "RECORDED",
    "RECORDING",
    "WAYS",
    "around",
    "check_leaving",
    "counted",
    "deploy",
    "deployed",
    "goodbye",
    "in_words",
    "leaving",
    "panel_scenario",
    "patience",
    "probe",
    "probes_of",
    "probing",
    "recorded",
    "series_of",
    "short_lives",
]

"""Closed formulas: the lines that the dots of an experiment must fall on.

``window`` which gaps fail, ``rates`` how often that is for Poisson requests,
``cycle`` the same with all that a failure changes, ``ageing`` with an end by age,
``crowded`` with requests that overlap, ``chain`` over several hops, ``periodic`` for a
client with a clock, ``walk`` for gaps one by one, ``pools`` for several connections,
``rescue`` for who tries again, ``limits`` what no formula has in it, ``predict`` for a
whole scenario, ``chance`` how sure a count is, ``words`` in words.
"""

from __future__ import annotations

from labkit.theory.chance import wilson
from labkit.theory.periodic import periodic_share
from labkit.theory.pools import pool_share, queue_share, retry_share
from labkit.theory.predict import predicted
from labkit.theory.prediction import Prediction
from labkit.theory.rates import (
    busy_time,
    errors_per_day,
    failure_share,
    found_idle,
    peak,
)
from labkit.theory.walk import walk_share
from labkit.theory.window import (
    Window,
    largest_safe_timeout,
    margin,
    patience,
    race_window,
    safe,
    window_at_source,
)
from labkit.theory.words import duration, moment, ordering

__all__ = [
    "Prediction",
    "Window",
    "busy_time",
    "duration",
    "errors_per_day",
    "failure_share",
    "found_idle",
    "largest_safe_timeout",
    "margin",
    "moment",
    "ordering",
    "patience",
    "peak",
    "periodic_share",
    "pool_share",
    "predicted",
    "queue_share",
    "race_window",
    "retry_share",
    "safe",
    "walk_share",
    "wilson",
    "window_at_source",
]

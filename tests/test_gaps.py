"""Failures against the gap, counted trial by trial."""

import pytest

from labkit.gaps import measure_gaps, trial, was_disturbed
from labkit.lab import run
from labkit.lessons.race import race
from labkit.settings import SettingsError


def test_each_gap_gets_its_trials_and_its_failures() -> None:
    told = measure_gaps(race(), [1.97, 1.99, 2.01], trials=2, progress=False)
    assert told.label == "virtual"
    assert [(p.gap, p.trials, p.failed) for p in told.points] == [
        (1.97, 2, 0),
        (1.99, 2, 2),
        (2.01, 2, 0),
    ]


@pytest.mark.parametrize(("gaps", "trials"), [([], 1), ([1.0], 0), ([-1.0], 1)])
def test_an_experiment_without_trials_is_refused(
    gaps: list[float], trials: int
) -> None:
    with pytest.raises(SettingsError):
        measure_gaps(race(), gaps, trials, progress=False)


@pytest.mark.live
@pytest.mark.quiet
def test_on_real_sockets_the_middle_of_the_window_fails_and_the_outside_does_not() -> (
    None
):
    told = measure_gaps(
        race(delay=0.03, timeout=0.3), [0.15, 0.27, 0.4], 3, "live", progress=False
    )
    assert [p.failed for p in told.points] == [0, 3, 0]
    assert all(p.trials == 3 for p in told.points)


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"hop.1.server.tick": 0.4, "hop.1.server.idle_timeout": 1.03},
        {"hop.1.server.farewell": "rst"},
        {"hop.1.server.farewell": "rst", "hop.1.server.delayed_close_timeout": 1.0},
    ],
)
def test_a_virtual_trial_is_never_disturbed(knobs: dict[str, object]) -> None:
    """Also where a timer ticks, or the goodbye is no FIN: that is no lateness."""
    assert not was_disturbed(run(trial(race().replace_all(knobs), 1.99)))

"""The error rate against a timer, and the hump over the request rate."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba

from labkit import figures
from labkit.figures import hump, rates
from labkit.figures.paper.style import MODEL_BAND
from labkit.figures.plots import share_words
from labkit.figures.plots.hump import curve, summit_of
from labkit.figures.plots.rates import Edge
from labkit.figures.plots.share_data import SharePlot
from labkit.records.counts import Curve, RatePoint, RateSeries
from labkit.theory import Window, duration, failure_share, wilson
from tests.figures.counts import FIVE, TIMERS, line, series
from tests.figures.gallery import crowded
from tests.figures.stories import overlaps, texts

EDGE = Edge(4.98, "C = T − RTT")
WINDOW = Window(4.98, 5.0)
RATES = tuple(0.001 * 10.0 ** (step / 10.0) for step in range(41))


def counted(label: str, n: int, at: tuple[float, ...] = RATES) -> RateSeries:
    shares = ((rate, failure_share(rate, WINDOW)) for rate in at)
    points = (RatePoint(rate, n, round(n * share)) for rate, share in shares)
    return RateSeries(label, tuple(points))


def said(ax: object) -> str:
    return " | ".join(texts(ax))  # type: ignore[arg-type]


# -- rates -----------------------------------------------------------------------------


def test_five_sources_of_truth_share_one_axis() -> None:
    words = texts(rates(FIVE, theory=[line()], edge=EDGE, here=60.0))
    assert {
        "theory",
        "model, n = 1,000,000",
        "virtual, n = 20,000",
        "live, n = 2,000",
        "envoy, n = 2,000",
        "C = T − RTT = 4.98 s",
        "you are here: 60 s",
    } <= set(words)


def test_a_count_of_zero_says_of_how_many_and_below_what() -> None:
    words = texts(rates(FIVE))
    assert "virtual: 0 of 20,000, below 0.019 %" in words
    assert "live: 0 of 2,000, below 0.19 %" in words
    assert math.isclose(wilson(0, 2000)[1], 0.0019, rel_tol=0.02)


def test_rates_that_span_decades_are_drawn_on_a_logarithmic_scale() -> None:
    wide = RateSeries("model", (RatePoint(1, 10**6, 10), RatePoint(2, 10**6, 10**4)))
    narrow = RateSeries("model", (RatePoint(1, 10**4, 2000), RatePoint(2, 10**4, 5000)))
    assert {"0.001 %", "0.01 %", "0.1 %", "1 %"} <= set(texts(rates([wide])))
    assert {"0 %", "20 %", "40 %", "60 %"} <= set(texts(rates([narrow])))


@pytest.mark.parametrize(("least", "drawn"), [(1e-9, 4), (0.0, 6)])
def test_a_curve_below_the_scale_ends_there_and_only_zero_runs_along_it(
    least: float, drawn: int
) -> None:
    wide = RateSeries("model", (RatePoint(1, 10**6, 10), RatePoint(2, 10**6, 10**4)))
    shares = (0.0001, 0.001, 0.0005, least, least, least)
    ax = rates([wide], theory=[Curve("theory", (0.5, 1, 2, 4, 6, 8), shares)])
    paths = [
        path
        for lines in ax.collections
        if isinstance(lines, LineCollection)
        for path in lines.get_segments()
        if len(path) > 2
    ]
    assert max(map(len, paths)) == drawn


def test_the_title_says_what_was_found() -> None:
    assert "Up to 0.15 % of requests fail; none below 4.98 s" in texts(
        rates(FIVE, theory=[line()], edge=EDGE)
    )
    server = Edge(60.02, "T = C + RTT", safe_below=False)
    assert "none above 60.02 s" in said(rates(FIVE, theory=[line()], edge=server))
    safe = series("virtual", 500, (1.0, 2.0))
    assert "None of 1,000 requests failed" in texts(rates([safe]))
    assert "No request fails" in texts(rates([]))


def test_what_nobody_will_ever_count_has_no_digits() -> None:
    faint = Curve("theory", (1.0, 4.0, 5.0, 9.0), (0.0, 0.0, 1e-12, 1e-12))
    words = texts(rates([], theory=[faint], edge=EDGE))
    assert "Fewer than one request in a million fails; none below 4.98 s" in words
    assert "0.0001 %" in words
    falls = Curve("theory", RATES, tuple(1e-5 / (k + 1) ** 9 for k in range(41)))
    assert "0.000001 %" in texts(hump([], theory=[falls]))


def test_both_axes_carry_units() -> None:
    words = said(rates(FIVE, timer="upstream: idle timeout"))
    assert "upstream: idle timeout" in words and "failed requests" in words
    assert "2 s" in words and "0.1 %" in words


def test_the_alt_text_says_where_each_is_worst_and_where_it_is_none() -> None:
    told = rates_told()
    assert "virtual: most at 6 s, 29 of 20,000 (0.1 % to 0.21 %)" in told
    assert "none failed at 2 s to 4 s" in told
    assert "theory: highest at 5 s, 0.15 %" in told


def rates_told() -> str:
    return rates.alt_text(FIVE, [line()], EDGE)


MANY = 10**7
SOME = (
    [],
    [FIVE[0]],
    [FIVE[1]],
    FIVE,
    [RateSeries("live", ())],
    [RateSeries("virtual", (RatePoint(5.0, 1, 1),))],
    [RateSeries("virtual", (RatePoint(5.0, 1, 0),))],
    [RateSeries(name, tuple(RatePoint(t, 3000, 0) for t in TIMERS)) for name in "abcd"],
    [RateSeries("model", tuple(RatePoint(t, MANY, k) for k, t in enumerate(TIMERS)))],
    [RateSeries("a name that is long enough", (RatePoint(0.001, MANY, MANY),))],
    [series("virtual", 1000, (math.inf, 3.0, 7000.0))],
)


@pytest.mark.parametrize("number", range(len(SOME)))
@pytest.mark.parametrize("here", [None, 0.001, 86400.0])
def test_no_two_texts_touch_whatever_was_counted(
    number: int, here: float | None
) -> None:
    theory, edge = ([line()], EDGE) if here else ([], None)
    sheet = rates.sheet(SOME[number], theory=theory, edge=edge, here=here)
    assert crowded(sheet) == []


def test_axes_are_reused_and_keep_their_size() -> None:
    ax = rates(FIVE, theory=[line()])
    first = figures.png(ax.figure)  # type: ignore[arg-type]
    assert rates([FIVE[1]], ax) is ax
    assert "theory" not in texts(ax)
    rates(FIVE, ax, theory=[line()])
    assert figures.png(ax.figure) == first  # type: ignore[arg-type]


def test_it_is_saved_with_a_title_and_a_description(tmp_path: object) -> None:
    path = figures.save(rates(FIVE), f"{tmp_path}/rates.svg", "Rates", rates_told())
    root = ElementTree.parse(path).getroot()
    assert [root[0].text, root[1].text] == ["Rates", rates_told()]


def test_the_theory_settles_the_worst_share_before_the_largest_count() -> None:
    noisy = RateSeries("live", (RatePoint(6.0, 100, 9),))
    assert SharePlot([noisy, FIVE[1]]).worst() == 29 / 20_000
    assert math.isclose(SharePlot([noisy], [line()]).worst(), 0.001475, rel_tol=0.01)


# -- the hump --------------------------------------------------------------------------


def test_the_peak_is_where_the_largest_share_fails() -> None:
    summit = summit_of(WINDOW)
    assert summit is not None
    best = max(failure_share(summit * way, WINDOW) for way in (0.99, 1.0, 1.01))
    assert failure_share(summit, WINDOW) == best


@pytest.mark.parametrize("window", [Window(5, 4), Window(0, 4), Window(3, math.inf)])
def test_a_window_without_a_peak_has_none(window: Window) -> None:
    assert summit_of(window) is None
    assert crowded(hump.sheet([counted("model", 1000)], window=window)) == []


def test_the_peak_is_marked_with_its_formula() -> None:
    ax = hump([counted("model", 10**6)], theory=[curve(WINDOW, RATES)], window=WINDOW)
    assert "L* = ln(b/a) / (b − a) = 0.2/s, one every 4.99 s" in texts(ax)
    assert "Worst at one request every 4.99 s: 0.15 % fail" in texts(ax)


def test_the_hump_reads_from_one_a_quarter_of_an_hour_to_ten_a_second() -> None:
    ax = hump([counted("model", 10**6)], window=WINDOW)
    assert {"0.001/s", "0.1/s", "10/s", "request rate"} <= set(texts(ax))


@pytest.mark.parametrize(
    ("guess", "words"),
    [
        (2.0, "your guess: 2/s, 10 times too fast"),
        (0.02, "your guess: 0.02/s, one every 50 s, 10 times too slow"),
        (0.2, "your guess: 0.2/s, one every 5 s, right"),
    ],
)
def test_a_guess_stands_beside_the_peak_with_the_gap_named(
    guess: float, words: str
) -> None:
    ax = hump([counted("model", 10**6)], window=WINDOW, guess=guess)
    assert words in texts(ax) and overlaps(ax) == []


def test_a_guess_where_there_is_no_peak_is_drawn_alone() -> None:
    ax = hump([counted("model", 1000)], guess=2.0)
    assert "your guess: 2/s" in texts(ax)


@pytest.mark.parametrize("here", [None, 0.0001, 1e6])
@pytest.mark.parametrize("end", [0.011, 5.0, 3600.0])
def test_no_two_texts_touch_on_a_hump(here: float | None, end: float) -> None:
    window = Window(end - 0.01, end)
    five = [counted(name, 2000) for name in ("model", "virtual", "live", "envoy")]
    lines: list[Curve] = [curve(window, RATES)]
    for found, theory in ((five, lines), ([], lines), (five, [])):
        sheet = hump.sheet(found, theory=theory, window=window, here=here)
        assert crowded(sheet) == []


def test_the_alt_text_of_a_hump_names_the_peak() -> None:
    words = hump.alt_text([counted("model", 10**6)], [curve(WINDOW, RATES)], WINDOW)
    assert words.startswith("Failed requests against the request rate. Worst at one")
    assert words.endswith("lies at 0.2/s, one every 4.99 s.")


# -- what is rare ----------------------------------------------------------------------


def bands(ax: Axes) -> list[list[tuple[float, float]]]:
    """The areas of the model's colour that are more than a sample of the legend."""
    return [
        [(float(x), float(y)) for x, y in path.vertices]
        for each in ax.collections
        if isinstance(each, PolyCollection)
        for path, fill in zip(each.get_paths(), each.get_facecolor(), strict=True)
        if tuple(fill) == to_rgba(MODEL_BAND) and len(path.vertices) > 5
    ]


RARE = RateSeries(
    "model",
    tuple(
        RatePoint(rate, 100_000, failed)
        for rate, failed in zip(RATES[::5], (0, 1, 0, 3, 7, 4, 0, 0, 0), strict=True)
    ),
)


def test_the_models_band_is_one_even_where_it_counted_nothing_in_between() -> None:
    [band] = bands(hump([RARE], theory=[curve(WINDOW, RATES)]))
    xs = [x for x, _ in band]
    assert len(set(xs)) == len(RARE.points)
    assert max(xs) - min(xs) > 50.0


def test_a_theory_far_below_every_count_does_not_stretch_the_scale() -> None:
    faint = Curve("theory", RATES, tuple(3e-5 / 2.0**n for n in range(len(RATES))))
    words = texts(hump([RARE], theory=[faint]))
    assert "0.0001 %" in words and "0.00001 %" not in words
    alone = texts(hump([], theory=[faint]))
    assert "0.000001 %" in alone


def test_on_a_linear_scale_of_shares_the_hump_is_as_high_as_it_is() -> None:
    counts = counted("model", 10**6)
    theory = [curve(WINDOW, RATES)]
    linear = texts(hump([counts], theory=theory, window=WINDOW, linear=True))
    assert {"0 %", "0.05 %", "0.1 %", "0.15 %"} <= set(linear)
    decades = texts(hump([counts], theory=theory, window=WINDOW))
    assert "0.05 %" not in decades


def test_every_lane_says_that_none_failed_and_0_percent_is_said_once() -> None:
    series = [
        RateSeries(name, (RatePoint(1.0, 900, 9), RatePoint(9.0, 900, 0)))
        for name in ("virtual", "live", "envoy")
    ]
    words = texts(hump(series, window=WINDOW, linear=True))
    assert words.count("none") == 3 and words.count("0 %") == 1


def test_a_guess_is_named_at_its_line() -> None:
    ax = hump([counted("model", 10**6)], window=WINDOW, guess=2.0)
    assert "your guess" in texts(ax) and overlaps(ax) == []


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        ((0, 0, 4, 4, 0, 0), "none failed at 1 s to 2 s and 5 s to 6 s."),
        ((4, 0, 4, 4, 4, 4), "none failed at 2 s."),
        ((0, 4, 0, 4, 0, 4), "none failed at 1 s and 3 s and 5 s."),
    ],
)
def test_words_never_say_that_none_failed_where_some_did(
    failed: tuple[int, ...], told: str
) -> None:
    points = (RatePoint(1.0 + n, 100, count) for n, count in enumerate(failed))
    words = share_words.sentence(RateSeries("model", tuple(points)), duration)
    assert words.endswith(told)
    many = (RatePoint(1.0 + n, 100, n % 2) for n in range(12))
    words = share_words.sentence(RateSeries("model", tuple(many)), duration)
    assert words.endswith("none failed at 6 of 12 points.")

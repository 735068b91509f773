"""Panels whose picture theory and model compute: coarse at once, then in full."""

from __future__ import annotations

import asyncio
import itertools
import math

import pytest

import labkit
from labkit.figures.paper.sheet import Sheet
from labkit.figures.plots.grids import Expected
from labkit.settings import Hop, Link, Pool, Scenario, Server, SettingsError, Traffic
from labkit.theory import predicted
from labkit.widgets.budget import affordable
from labkit.widgets.curves import Rates
from labkit.widgets.edges import edge_of
from labkit.widgets.model import PanelModel
from labkit.widgets.model_views import PREVIEW, HeatMap, ModelView, first_order
from labkit.widgets.shown import Shown
from tests.figures.gallery import crowded

POOL, SERVER = "hop.0.pool.idle_timeout", "hop.0.server.idle_timeout"
RATE, DELAY, TICK = "traffic.rate", "hop.0.link.delay", "hop.0.server.tick"
KNOBS = {
    "heatmap": (POOL, SERVER, DELAY),
    "rates": (POOL, SERVER, RATE),
    "hump": (RATE, SERVER, DELAY),
    "margins": (POOL, SERVER, TICK),
    "outcomes": (POOL, SERVER, DELAY),
}


def scenario(**traffic: object) -> Scenario:
    hop = Hop(
        pool=Pool(idle_timeout=60.0),
        link=Link(delay=0.005),
        server=Server(idle_timeout=5.0),
    )
    told = {"rate": 0.2, "requests": 50} | traffic
    return Scenario(traffic=Traffic(**told), hops=(hop,))  # type: ignore[arg-type]


def small(picture: str, start: Scenario | None = None) -> PanelModel:
    """A panel whose full picture takes a moment only."""
    model = PanelModel(start or scenario(), KNOBS[picture], picture)
    if isinstance(model.view, ModelView):
        model.view.full_sizes = ((8, 300),)
    if isinstance(model.view, HeatMap):
        model.view.parts = 2
    return model


def sheet(shown: Shown) -> Sheet:
    """The picture as it was laid out."""
    assert isinstance(shown.picture, Sheet)
    return shown.picture


@pytest.mark.parametrize("picture", KNOBS)
def test_no_two_texts_touch_at_any_end_of_any_slider(picture: str) -> None:
    model = small(picture)
    first = sheet(model.redraw())
    assert crowded(first) == []
    for stops in itertools.product(*(knob.ends for knob in model.knobs)):
        for path, stop in zip(KNOBS[picture], stops, strict=True):
            model.set(path, stop)
        preview = sheet(model.preview())
        assert preview.paper == first.paper
        assert crowded(preview) == []


@pytest.mark.parametrize("picture", ["heatmap", "rates", "hump"])
def test_the_picture_in_full_is_as_roomy_at_the_ends(picture: str) -> None:
    model = small(picture)
    for end in (0, 1):
        for knob in model.knobs:
            model.set(knob.path, knob.ends[end])
        assert crowded(sheet(model.redraw())) == []


# -- the heat map --------------------------------------------------------------------


def test_a_glance_at_the_map_asks_the_theory() -> None:
    model = small("heatmap")
    counts = model.preview().counts
    assert isinstance(counts, Expected) and counts.share.shape == (20, 20)
    assert PREVIEW in _words(model)


def test_the_first_order_is_near_enough_to_the_whole_theory() -> None:
    for start in (scenario(), scenario(rate=1.0), scenario(rate=0.01)):
        assert math.isclose(first_order(start), predicted(start).share, rel_tol=0.02)


def test_the_map_in_full_counts_what_the_glance_expects() -> None:
    view = HeatMap(scenario(rate=0.5), KNOBS["heatmap"])
    view.full_sizes = ((20, 2000),)
    start = scenario(rate=0.5).replace(DELAY, 0.1)
    expected = view.preview(start).share * 2000
    *_, counted = view.refine(start)
    assert counted is not None
    assert (counted.share[expected == 0.0] == 0.0).all()
    total, wanted = (counted.share * 2000).sum(), expected.sum()
    assert abs(total / wanted - 1.0) < 0.05


def test_the_reader_moves_over_a_map_that_lies_still() -> None:
    model = small("heatmap")
    counts = model.redraw().counts
    model.set(POOL, 4.0)
    model.set(SERVER, 8.0)
    assert model.preview().counts is counts
    assert any("; safe by 3.99 s" in word for word in _words(model))
    model.set(DELAY, 0.05)
    assert model.preview().counts is not counts


def test_the_work_on_a_map_is_done_bit_by_bit() -> None:
    refinements = list(small("heatmap").refine())
    assert refinements[:-1] == [None, None] and refinements[-1] is not None


def test_where_theory_is_silent_a_glance_counts_some_requests() -> None:
    burst = small("heatmap", scenario(burst=2))
    assert burst.preview().counts.requests.max() == HeatMap.preview_sizes[-1][1]


def test_the_scenario_decides_how_many_requests_a_picture_can_afford() -> None:
    def axes(count: int) -> dict[str, list[float]]:
        return {POOL: [1.0 + n for n in range(count)]}

    sizes = ((60, 10_000), (20, 5_000), (5, 10))
    assert affordable(scenario(), axes, sizes, 0.1) == (60, 10_000)
    assert affordable(scenario(burst=2), axes, sizes, 1.0) == (20, 5_000)
    assert affordable(scenario(burst=2), axes, sizes, 1e-9) == (5, 10)


# -- curves --------------------------------------------------------------------------


def test_the_curve_has_its_step_where_the_timer_becomes_safe() -> None:
    model = small("rates")
    [line] = model.preview().counts.theory
    failing = [x for x, y in zip(line.xs, line.ys, strict=True) if y > 0.0]
    assert math.isclose(min(failing), 4.99, rel_tol=1e-6)
    assert "C = T − RTT = 4.99 s" in _words(model)


@pytest.mark.parametrize(
    ("path", "at", "rule", "below"),
    [
        (POOL, 4.99, "C = T − RTT", True),
        (SERVER, 60.01, "T = C + RTT", False),
        (DELAY, None, "", True),
    ],
)
def test_every_timer_of_a_hop_has_its_own_edge(
    path: str, at: float | None, rule: str, below: bool
) -> None:
    edge = edge_of(scenario(), path, 0)
    if at is None:
        assert edge is None
        return
    assert edge is not None and math.isclose(edge.at, at)
    assert (edge.rule, edge.safe_below) == (rule, below)


def test_in_full_the_model_counts_beside_the_theory() -> None:
    for picture in ("rates", "hump"):
        model = small(picture)
        counts = model.redraw().counts
        assert counts.theory and counts.model[0].label == "model"
        assert "model, n = 300" in _words(model)


def test_where_the_model_refuses_the_theory_stands_alone_and_it_is_said() -> None:
    model = small("rates", scenario().replace("hop.0.link.jitter", 0.001))
    counts = model.redraw().counts
    assert counts.theory and not counts.model
    assert "link.jitter" in " ".join(_words(model))


def test_where_both_refuse_there_is_one_sentence() -> None:
    model = small("rates", scenario().replace("hop.0.link.forget_after", 350.0))
    with pytest.raises(SettingsError, match="forget_after"):
        model.redraw()


# -- real sockets --------------------------------------------------------------------


def test_a_live_run_is_over_in_a_minute() -> None:
    view = Rates(scenario(), KNOBS["rates"])
    part = view.live_part(scenario(requests=100_000))
    assert part.traffic.requests == 12
    assert math.isclose(view.seconds(part, None), 60.0)
    gaps = scenario(arrivals="gaps", gaps=(1.0, 5.0), requests=1000)
    assert view.live_part(gaps).traffic.requests == 20


def test_a_live_run_becomes_a_dot_where_the_reader_is() -> None:
    model = small("rates")
    shown = model.redraw()
    live = labkit.run(scenario(), progress=False)  # any run will do
    model.draw(live, shown)
    assert "live, n = 50" in _words(model)
    told = model.view.compared(model.scenario, shown.counts, live)
    assert (
        "of 50 requests failed" in told
        and "expected 0.073 %: so few requests cannot tell" in told
    )


def test_a_picture_of_many_runs_has_no_single_run() -> None:
    with pytest.raises(TypeError, match="no single run"):
        _ = small("margins").redraw().run


# -- the panel -----------------------------------------------------------------------


def test_a_slider_shows_a_preview_first_and_the_whole_when_it_rests() -> None:
    async def main() -> list[str]:
        panel = labkit.Panel(small("rates"))
        seen: list[str] = []
        panel.observe(lambda _: seen.append(_kind(panel.shown)), "picture")
        for value in ("0.3", "0.5", "2"):
            panel.receive({"do": "set", "path": RATE, "text": value})
        while len(seen) < 2:
            await asyncio.sleep(0.001)
        panel.close()
        return seen

    assert asyncio.run(main()) == ["preview", "whole"]


def _kind(shown: object) -> str:
    return "whole" if shown.counts.model else "preview"  # type: ignore[attr-defined]


def test_a_rate_has_stops_on_both_sides_and_says_its_unit() -> None:
    knob = small("hump").knobs[0]
    assert knob.ends[0] < 0.02 and knob.ends[1] > 0.9
    assert {0.1, 0.2, 0.5} <= set(knob.stops)
    assert knob.written(0.5) == "0.5/s"


def test_a_picture_that_cannot_live_has_no_button_for_it() -> None:
    assert labkit.Panel(small("margins")).live["state"] == "none"
    assert labkit.Panel(small("rates")).live["label"] == "Run live (60 s)"


def test_the_plain_picture_of_a_map_is_the_whole_one() -> None:
    panel = labkit.Panel(small("heatmap"))
    assert panel.shown is not None
    assert "0 of 300" in panel.shown.still.alt


@pytest.mark.live
def test_a_live_run_is_compared_with_what_was_expected() -> None:
    async def main() -> str:
        panel = labkit.Panel(small("rates", scenario(rate=200.0, requests=20)))
        panel.start_live()
        assert panel.live_task is not None
        await panel.live_task
        return str(panel.said["text"])

    assert "of 20 requests failed" in asyncio.run(main())


def _words(model: PanelModel) -> list[str]:
    return [part for t in model.axes.texts for part in _parts(t.get_text())]


def _parts(text: str) -> list[str]:
    return [text, *text.split(" · "), *text.split("; ")]

"""What a panel knows, without widgets: knobs, stops, pictures, sentences."""

import math
from xml.etree import ElementTree

import pytest
from matplotlib.axes import Axes

import labkit
from labkit import figures
from labkit.figures.paper.sheet import Sheet
from labkit.lessons import race
from labkit.lessons.start import failing_chain
from labkit.settings import Scenario, SettingsError
from labkit.widgets.model import (
    DEFAULT_PATHS,
    PanelModel,
    default_panel,
)

UPSTREAM = "hop.1.server.idle_timeout"


def test_the_default_panel_shows_a_request_that_becomes_a_503() -> None:
    shown = default_panel().redraw()
    assert shown.run.statuses == {200: 5, 503: 1}
    assert shown.html.startswith("<svg") and "1 of 6" in shown.alt
    assert [verdict.safe for verdict in shown.verdicts] == [True, False]
    assert shown.verdicts[1].sentence.startswith("unsafe: ")


def test_every_whole_second_of_the_upstreams_timer_catches_a_request() -> None:
    model = default_panel()
    for seconds in (1.0, 2.0, 3.0, 4.0, 5.0):
        model.set(UPSTREAM, seconds)
        assert model.redraw().run.failed == 1


def test_a_turned_knob_changes_the_picture_and_reset_brings_it_back() -> None:
    model = default_panel()
    first = model.redraw().html
    model.set(UPSTREAM, 8.0)
    assert model.redraw().html != first
    model.reset()
    assert model.redraw().html == first


def test_every_stop_of_every_slider_gives_a_picture_of_the_same_size() -> None:
    model = default_panel()
    sizes = set()
    for knob in model.knobs:
        for stop in knob.stops[:: max(1, len(knob.stops) // 6)]:
            model.set(knob.path, stop)
            sizes.add(model.redraw().html.split("viewBox=")[1].split(">")[0])
        model.reset()
    assert len(sizes) == 1


def test_a_slider_spans_both_sides_of_the_rule_with_fine_steps_around_it() -> None:
    pool = PanelModel(
        race.trial(1.99).replace("hop.1.pool.idle_timeout", 60.0),
        ("hop.1.pool.idle_timeout",),
        presets={"too small": {"hop.1.pool.idle_timeout": 1.995}},
    ).knobs[0]
    low, high = pool.ends
    assert low < 0.2 and high == math.inf and pool.stops[-2] > 200.0
    assert {1.98, 1.995, 60.0} <= set(pool.stops)
    near = [stop for stop in pool.stops if 1.97 < stop < 2.0]
    assert len(near) > 25
    assert list(pool.stops) == sorted(pool.stops)


def test_a_control_names_hop_side_knob_and_the_symbol_of_the_text() -> None:
    pool, server, wire = default_panel().knobs
    assert pool.label == "client's pool → proxy: idle timeout, C"
    assert server.label == "upstream's server ← proxy: idle timeout, T"
    assert wire.label == "wire proxy – upstream: delay one way, d"
    assert "counted from a response sent; allowed: 0 to" in server.help


def test_a_field_writes_a_value_so_that_it_is_read_as_the_same_number() -> None:
    knob = default_panel().knobs[1]
    for value in (5.0, 0.02, 4.9995, 1.995, 3540.0, 3541.5, 3600.0, 1e9, 0.0, math.inf):
        assert knob.read(knob.written(value)) == pytest.approx(value, rel=1e-8)
    assert knob.written(4.9995) == "4.9995 s" and knob.written(math.inf) == "no limit"


def test_a_rate_has_stops_on_both_sides() -> None:
    [knob] = PanelModel(failing_chain(), ("traffic.rate",)).knobs
    assert knob.ends[0] < knob.start / 10 and knob.ends[1] > 10 * knob.start
    assert knob.written(0.2) == "0.2/s"


def test_a_preset_starts_from_the_start() -> None:
    mended = {"hop.1.pool.idle_timeout": 4.0}
    model = PanelModel(failing_chain(), DEFAULT_PATHS[1:], presets={"mended": mended})
    model.set(UPSTREAM, 3.0)
    model.apply("mended")
    assert model.scenario.get(UPSTREAM) == 5.0
    assert model.redraw().run.failed == 0


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ((), "0 knobs"),
        (("seed",) * 4, "4 knobs"),
        (("hop.1.server.idle_timeot",), "did you mean"),
        (("hop.0.pool.reuse",), "number"),
        (("hop.0.pool.watch_fin",), "number"),
        (("hop.7.pool.idle_timeout",), "hop.7"),
    ],
)
def test_what_is_no_knob_is_refused_in_one_sentence(
    paths: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        PanelModel(failing_chain(), paths)


def test_other_refusals() -> None:
    with pytest.raises(SettingsError, match="picture"):
        PanelModel(failing_chain(), DEFAULT_PATHS, picture="oil")
    many = Scenario().replace("traffic.requests", 100_000)
    with pytest.raises(SettingsError, match="100000"):
        PanelModel(many, ("hop.0.pool.idle_timeout",))


def test_a_refused_value_changes_nothing() -> None:
    model = default_panel()
    with pytest.raises(SettingsError):
        model.set(UPSTREAM, -1.0)
    assert model.scenario == failing_chain()


# -- the picture ---------------------------------------------------------------------


def plotted(run: labkit.Run, ax: Axes | None = None) -> Axes:
    """A picture of a reader's own, with axes of matplotlib's."""
    ax = figures.blank() if ax is None else ax
    ax.clear()
    ax.plot([e.sent for e in run.exchanges])
    return ax


def test_a_picture_of_our_own_is_svg_and_needs_no_axes() -> None:
    model = default_panel()
    shown = model.redraw()
    assert isinstance(shown.picture, Sheet) and "_ax" not in vars(model)
    root = ElementTree.fromstring(shown.html)
    assert root[1].text == shown.alt
    assert shown.still.png.startswith(b"\x89PNG")


def test_a_figure_of_ours_that_draws_on_axes_is_svg_too() -> None:
    model = PanelModel(failing_chain(), DEFAULT_PATHS, figures.sequence)
    root = ElementTree.fromstring(model.redraw().html)
    assert root[0].text == "Request 6 met a closing connection: 503 UC"


def test_a_readers_own_plot_is_an_image_with_its_alt_text() -> None:
    model = PanelModel(failing_chain(), DEFAULT_PATHS, plotted)
    shown = model.redraw()
    assert shown.still.png.startswith(b"\x89PNG")
    image = ElementTree.fromstring(shown.html.replace(">", "/>"))
    assert image.get("alt") == shown.alt
    assert str(image.get("src")).startswith("data:image/png;base64,iVBOR")


@pytest.mark.parametrize("picture", ["sequence", plotted])
def test_a_name_that_is_a_page_of_its_own_does_nothing(picture: object) -> None:
    name = "<img src=x onerror=alert(1)>"
    chain = failing_chain().replace("hop.1.name", name).replace("name", name)
    shown = PanelModel(chain, DEFAULT_PATHS, picture).redraw()  # type: ignore[arg-type]
    assert name in shown.alt
    assert name not in shown.html and "<img src=x" not in shown.html


def test_the_picture_has_its_natural_size_on_a_page() -> None:
    model = default_panel()
    wide, high = model.size
    assert wide == 701
    _, metadata = model.redraw().still.bundle()
    three_lines = 65
    assert metadata["image/png"]["height"] == pytest.approx(high + three_lines, abs=1)

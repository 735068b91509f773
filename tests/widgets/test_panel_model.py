"""What a panel knows, without widgets: knobs, stops, pictures, sentences."""

import math
import struct
from xml.etree import ElementTree

import pytest
from matplotlib.axes import Axes

import labkit
from labkit import figures
from labkit.figures.paper.sheet import Sheet
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
    assert "unsafe" in shown.ordering[1]


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
        for stop in knob.values[:: max(1, len(knob.values) // 6)]:
            model.set(knob.path, stop)
            sizes.add(model.redraw().html.split("viewBox=")[1].split(">")[0])
        model.reset()
    assert len(sizes) == 1


def test_sliders_stop_where_people_set_timers_and_say_so() -> None:
    knob = default_panel().knobs[1]
    assert {1.0, 2.5, 5.0, 60.0} <= set(knob.values)
    assert list(knob.values) == sorted(knob.values)
    assert knob.written(5.0) == "5 s" and knob.told(0.02) == "20 ms"
    assert knob.written(math.inf) == "no limit"
    assert knob.label == "upstream: idle timeout"
    assert knob.nearest(4.9) == 5.0


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
    assert shown.png.startswith(b"\x89PNG")


def test_a_figure_of_ours_that_draws_on_axes_is_svg_too() -> None:
    model = PanelModel(failing_chain(), DEFAULT_PATHS, figures.sequence)
    root = ElementTree.fromstring(model.redraw().html)
    assert root[0].text == "Request 6 met a closing connection: 503 UC"


def test_a_readers_own_plot_is_an_image_with_its_alt_text() -> None:
    model = PanelModel(failing_chain(), DEFAULT_PATHS, plotted)
    shown = model.redraw()
    assert shown.png.startswith(b"\x89PNG")
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
    pixels = struct.unpack(">II", model.redraw().png[16:24])
    assert pixels == pytest.approx((2 * wide, 2 * high), abs=2)

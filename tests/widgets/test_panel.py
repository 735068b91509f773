"""The panel as a kernel shows it, and what it does with what a browser sends."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import labkit
from labkit.lessons.start import failing_chain
from labkit.widgets.entry import written
from labkit.widgets.model import DEFAULT_PATHS

SERVER = "hop.1.server.idle_timeout"
POOL = "hop.1.pool.idle_timeout"
PRESETS: dict[str, dict[str, Any]] = {
    "the pool gives up first": {POOL: 4.0},
    "longer": {SERVER: 75.0},
}


def shown() -> labkit.Panel:
    return labkit.panel(failing_chain(), *DEFAULT_PATHS, presets=PRESETS)


def position(panel: labkit.Panel, path: str) -> Any:
    return panel.values["at"][path]


def sliding(panel: labkit.Panel, path: str, value: float) -> dict[str, Any]:
    """What the browser sends when a slider is brought to a stop."""
    [knob] = [k for k in panel.knobs if k["path"] == path]
    [text] = [stop for stop in knob["stops"] if stop == written(value, "s")]
    return {"do": "set", "path": path, "text": text}


def test_behind_the_sliders_lies_a_plain_picture_with_its_words() -> None:
    panel = shown()
    assert panel.shown is not None
    data, metadata = panel.shown.still.bundle()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert "1 of 6 requests failed" in data["text/plain"]
    assert data["text/plain"].endswith("Run this cell for the sliders.")
    assert metadata["image/png"]["alt"] == data["text/plain"]
    assert metadata["image/png"]["width"] == 700
    panel.close()


def test_picture_values_and_verdict_change_together() -> None:
    panel = shown()
    assert panel.picture.startswith("<svg")
    assert [each["safe"] for each in panel.verdicts] == [True, False]
    panel.receive(sliding(panel, SERVER, 75.0))
    assert position(panel, SERVER)["text"] == "75 s"
    assert "15 s" in panel.verdicts[1]["text"]
    panel.close()


@pytest.mark.parametrize(
    ("text", "value", "again"),
    [
        ("1.995", 1.995, "1.995 s"),
        ("90s", 90.0, "90 s"),
        ("5 min", 300.0, "300 s"),
        ("inf", float("inf"), "no limit"),
        ("20 ms", 0.02, "20 ms"),
    ],
)
def test_a_field_takes_any_allowed_value_and_shows_exactly_that(
    text: str, value: float, again: str
) -> None:
    panel = shown()
    panel.receive({"do": "set", "path": SERVER, "text": text})
    assert panel.model.scenario.get(SERVER) == value
    assert position(panel, SERVER)["text"] == again
    panel.close()


@pytest.mark.parametrize("text", ["soon", "-1", "", "5 parsecs", "<b>", "9" * 500])
def test_a_field_says_what_is_allowed_and_nothing_changes(text: str) -> None:
    panel = shown()
    before = panel.picture
    panel.receive({"do": "set", "path": SERVER, "text": text})
    assert "allowed: 0 to" in panel.values["wrong"][SERVER]
    assert panel.picture == before and position(panel, SERVER)["text"] == "5 s"
    panel.receive(sliding(panel, SERVER, 6.0))
    assert panel.values["wrong"] == {}
    panel.close()


def test_what_a_preset_changes_beyond_the_sliders_is_a_chip() -> None:
    panel = shown()
    panel.receive({"do": "preset", "name": "the pool gives up first"})
    [chip] = panel.chips
    assert chip["text"] == "proxy's pool → upstream: idle timeout, C = 4 s"
    assert panel.presets["changed"] is False
    panel.receive({"do": "drop", "path": POOL})
    assert panel.chips == [] and panel.presets["changed"] is True
    assert panel.model.scenario == failing_chain()
    panel.close()


def test_after_a_move_a_preset_is_changed_and_chosen_again_it_is_itself() -> None:
    panel = shown()
    panel.receive({"do": "preset", "name": "longer"})
    panel.receive(sliding(panel, SERVER, 60.0))
    assert (panel.presets["at"], panel.presets["changed"]) == ("longer", True)
    panel.receive({"do": "preset", "name": "longer"})
    assert panel.presets["changed"] is False
    assert position(panel, SERVER)["text"] == "75 s"
    panel.receive({"do": "reset"})
    assert panel.presets["at"] == "start" and panel.model.scenario == failing_chain()
    panel.close()


def test_a_message_that_no_control_sends_changes_nothing() -> None:
    panel = shown()
    for sent in ({}, {"do": "explode"}, {"do": "preset", "name": "no such"}):
        panel.receive(sent)
    assert panel.model.scenario == failing_chain()
    panel.close()


def in_a_loop(work: Callable[[labkit.Panel], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        panel = shown()
        try:
            return await work(panel)
        finally:
            panel.close()

    return asyncio.run(main())


def test_a_slider_that_is_dragged_draws_the_newest_value_only() -> None:
    async def dragged(panel: labkit.Panel) -> tuple[int, Any]:
        drawn: list[None] = []
        panel.observe(lambda _: drawn.append(None), "picture")
        for number, value in enumerate((4.0, 3.0, 2.0, 8.0), start=1):
            panel.receive(sliding(panel, SERVER, value) | {"number": number})
        while not drawn:
            await asyncio.sleep(0.001)
        return len(drawn), panel.values

    count, values = in_a_loop(dragged)
    assert count == 1 and values["number"] == 4
    assert values["at"][SERVER]["text"] == "8 s"


def test_a_move_that_changes_nothing_in_the_picture_says_so() -> None:
    async def moved(panel: labkit.Panel) -> Any:
        panel.receive({"do": "set", "path": DEFAULT_PATHS[0], "text": "61"})
        while panel.is_scheduled:
            await asyncio.sleep(0.001)
        return panel.said

    assert in_a_loop(moved) == {"text": "Nothing in the picture changes."}


# -- real sockets --------------------------------------------------------------------


def test_the_button_says_how_long_a_live_run_takes() -> None:
    panel = shown()
    assert panel.live == {"state": "idle", "label": "Run live (16 s)"}
    panel.close()


@pytest.mark.live
@pytest.mark.parametrize("sent", [{"do": "cancel"}, {"do": "reset"}])
def test_a_live_run_ends_when_it_is_cancelled_or_a_control_moves(
    sent: dict[str, str],
) -> None:
    async def cancelled(panel: labkit.Panel) -> tuple[str, str, bool]:
        panel.receive({"do": "live"})
        while panel.live["state"] != "running":
            await asyncio.sleep(0.01)
        panel.receive(sent)
        await asyncio.sleep(0.1)
        panel.stop_refining()
        await asyncio.sleep(0.01)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        return panel.said["text"], panel.live["state"], bool(left)

    said, state, left = in_a_loop(cancelled)
    assert "cancelled" in said and state == "idle" and not left


@pytest.mark.live
def test_a_live_run_is_compared_with_the_virtual_one() -> None:
    short = failing_chain().replace("traffic.gaps", [0.05]).replace(SERVER, 1.0)

    async def main() -> tuple[str, Any]:
        panel = labkit.panel(short, SERVER)
        told: list[str] = []
        panel.observe(lambda change: told.append(change["new"].get("text", "")), "live")
        panel.receive({"do": "live"})
        assert panel.live_task is not None
        await panel.live_task
        panel.close()
        return panel.said["text"], told

    said, told = asyncio.run(main())
    assert "they agree" in said
    assert "0 of 6 requests, 0 of" in told[0]

"""The panel as a kernel shows it."""

import asyncio

import pytest

import labkit
from labkit.lessons.start import failing_chain
from labkit.widgets.model import DEFAULT_PATHS
from tests.widgets import hands


def test_without_a_browser_a_panel_is_a_plain_picture_with_its_words() -> None:
    shown = labkit.panel(failing_chain(), *DEFAULT_PATHS)
    data, metadata = shown._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert "1 of 6 requests failed" in data["text/plain"]
    assert metadata["image/png"] == {
        "alt": data["text/plain"],
        "width": 701,
        "height": shown.model.size[1],
    }
    assert any("widget-view" in kind for kind in data)
    shown.close()


def test_a_page_shows_the_picture_as_svg_that_takes_the_room_there_is() -> None:
    shown = labkit.panel(failing_chain(), *DEFAULT_PATHS)
    assert any(text.startswith("<svg") for text in hands.shown(shown))
    assert (shown.layout.width, shown.layout.max_width) == ("100%", "720px")
    shown.close()


def test_a_slider_that_is_dragged_draws_the_newest_value_only() -> None:
    async def main() -> tuple[int, float]:
        panel = labkit.panel(failing_chain(), *DEFAULT_PATHS)
        drawn = []
        glance = panel.model.glance
        panel.model.glance = lambda: drawn.append(1) or glance()  # type: ignore[func-returns-value]
        for value in (4.0, 3.0, 2.0, 8.0):
            hands.drag(panel, "hop.1.server.idle_timeout", value)
        for _ in range(100):
            await asyncio.sleep(0.005)
            if drawn:
                break
        return len(drawn), panel.model.scenario.get("hop.1.server.idle_timeout")

    assert asyncio.run(main()) == (1, 8.0)


@pytest.mark.live
def test_a_live_run_can_be_cancelled_and_says_so() -> None:
    async def main() -> None:
        panel = labkit.panel(failing_chain(), *DEFAULT_PATHS)
        hands.button(panel, "Run live").click()
        await asyncio.sleep(0.3)
        hands.button(panel, "Cancel").click()
        await hands.until(panel, "The live run was cancelled")
        async with asyncio.timeout(10.0):
            while asyncio.all_tasks() != {asyncio.current_task()}:
                await asyncio.sleep(0.0)

    asyncio.run(main())


@pytest.mark.live
def test_a_live_run_is_compared_with_the_virtual_one() -> None:
    short = failing_chain().replace("traffic.gaps", [0.05])
    quick = short.replace("hop.1.server.idle_timeout", 1.0)

    async def main() -> str:
        panel = labkit.panel(quick, "hop.1.server.idle_timeout")
        hands.button(panel, "Run live").click()
        return await hands.until(panel, "On real sockets")

    assert "they agree" in asyncio.run(main())

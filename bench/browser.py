"""From a key on a slider to the new picture on the screen, in Chromium."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tools import jupyterlab as lab

# Notes the moment a key goes down on a slider, and the moment after the frame in which
# the picture that it brought has been painted: what waits behind that frame runs next.
_WATCH = """picture => {
    const box = picture.parentElement;
    window.keyDown = 0;
    window.addEventListener("keydown", () => { window.keyDown = performance.now() },
                            true);
    window.nextPicture = () => new Promise(resolve => {
        const watch = new MutationObserver(() => {
            watch.disconnect();
            requestAnimationFrame(() => setTimeout(() =>
                resolve(performance.now() - window.keyDown)));
        });
        watch.observe(box, {childList: true, subtree: true});
        setTimeout(() => resolve(null), 1000);
    });
}"""


def slider_to_pixels(moves: int = 30) -> list[float]:
    """Seconds of each move of the landing page's second slider.

    A move that changes no pixel brings no new picture and is left out after a second.
    LookupError where there is no Chromium.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        lab.chromium() as browser,
        lab.jupyterlab(Path(folder)) as where,
    ):
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        lab.opened(page, where, "00-start-here.ipynb")
        lab.run_all(page)
        panel = lab.panel_of(page)
        panel.locator(lab.PICTURE).first.evaluate(_WATCH)
        panel.get_by_role("slider").nth(1).focus()
        took: list[float] = []
        for move in range(moves):
            page.evaluate("() => { window.shown = window.nextPicture() }")
            # There and back again: every picture differs from the last.
            page.keyboard.press("PageDown" if move % 10 < 5 else "PageUp")
            milliseconds = page.evaluate("() => window.shown")
            if milliseconds is not None:
                took.append(milliseconds / 1000)
        return took

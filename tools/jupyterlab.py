"""JupyterLab as `labkit start` opens it, and a Chromium."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
Settings = Mapping[str, Mapping[str, object]]
# All cells in the page, nothing asked of others.
SETTINGS: Settings = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {
        "checkForUpdates": False,
        "doNotDisturbMode": True,
        "fetchNews": "false",
    },
}

FOR_ALL_CELLS = 180_000  # milliseconds
FOR_A_START = 60_000
RUNNING = ".jp-Notebook .jp-InputPrompt:text-is('[*]:')"
PANEL = ".labkit-panel"
PICTURE = "svg.labkit"  # of a panel


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium; LookupError if it has none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise LookupError("needs Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def jupyterlab(folder: Path, settings: Settings = SETTINGS) -> Iterator[str]:
    """The address of a notebook, with {} for its name, while a server runs."""
    words = [sys.executable, "-m", "labkit.cli", "start", str(folder / "course")]
    words += ["--no-browser", "--port=0", "--", "--LabApp.extension_manager=readonly"]
    log = folder / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            words, env=alone(folder, settings), stdout=out, stderr=out
        )
    try:
        yield address(server, log)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def alone(folder: Path, settings: Settings = SETTINGS) -> dict[str, str]:
    """An environment in which nobody's own settings of Jupyter count."""
    for name, values in settings.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    places = {
        "IPYTHONDIR": "ipython",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
    }
    return {**os.environ, **{key: str(folder / name) for key, name in places.items()}}


def address(server: subprocess.Popen[bytes], log: Path) -> str:
    """What the server printed, made a template; the server's own words if it died."""
    while server.poll() is None:
        if found := re.search(r"http://127\S+/lab\S*(\?token=\w+)", log.read_text()):
            return found[0].split("/lab")[0] + "/lab/tree/{}" + found[1] + "&reset"
        with_patience(server)
    raise RuntimeError(log.read_text()[-2000:])


def with_patience(server: subprocess.Popen[bytes]) -> None:
    """Give the server a moment; it tells of its readiness in no other way."""
    try:
        server.wait(0.1)
    except subprocess.TimeoutExpired:
        return


def opened(page: Page, where: str, name: str) -> Page:
    """The notebook once its kernel answers: cells asked to run before that may hang."""
    with page.expect_websocket(lambda socket: "/channels" in socket.url):
        page.goto(where.format(name))
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=FOR_A_START)
    page.wait_for_load_state("networkidle")
    idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")
    expect(idle.first).to_be_visible(timeout=FOR_A_START)
    return page


def run_all(page: Page) -> None:
    """Every cell, by the menu, as a reader does it."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    prompts = page.locator(".jp-CodeCell:not(:has(.jp-mod-noInput)) .jp-InputPrompt")
    expect(page.locator(RUNNING)).to_have_count(0, timeout=FOR_ALL_CELLS)
    expect(prompts.last).not_to_have_text("[ ]:", timeout=FOR_ALL_CELLS)
    expect(page.locator(RUNNING)).to_have_count(0, timeout=FOR_ALL_CELLS)


def panel_of(page: Page) -> Locator:
    """The notebook's first panel, on the screen."""
    panel = page.locator(PANEL).first
    panel.locator(PICTURE).first.scroll_into_view_if_needed()
    return panel

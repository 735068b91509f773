"""JupyterLab as `labkit start` opens it, saving nothing, and a Chromium."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {  # all cells in the page, files left as they are, nothing asked of others
    "docmanager-extension/plugin": {"autosave": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {
        "checkForUpdates": False,
        "doNotDisturbMode": True,
        "fetchNews": "false",
    },
}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a notebook, with {} for its name."""
    folder = tmp_path_factory.mktemp("jupyter")
    words = [sys.executable, "-m", "labkit.cli", "start", "--no-browser", "--port=0"]
    words += ["--LabApp.extension_manager=readonly"]
    log = folder / "log"
    with log.open("w") as out:
        server = subprocess.Popen(words, env=alone(folder), stdout=out, stderr=out)
    try:
        yield address(server, log)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def alone(folder: Path) -> dict[str, str]:
    """An environment in which nobody's own settings of Jupyter count."""
    for name, values in SETTINGS.items():
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
            return found[0].split("/lab")[0] + "/lab/tree/{}" + found[1]
        with_patience(server)
    raise RuntimeError(log.read_text()[-2000:])


def with_patience(server: subprocess.Popen[bytes]) -> None:
    """Give the server a moment; it tells of its readiness in no other way."""
    try:
        server.wait(0.1)
    except subprocess.TimeoutExpired:
        return

"""JupyterLab on a copy of the course, quiet in the terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.cli.course import OWN
from labkit.settings import SettingsError

# An idle kernel holds about 120 MB; nobody looks at one that was idle for two hours.
_IDLE = 2 * 3600
_STEP = 300

_CONTENTS = "@jupyterlab/toc:plugin"

# What JupyterLab begins with; the learner's own settings have the last word.
SETTINGS: dict[str, Any] = {
    # The contents on the right, so that they and the files can both be seen.
    "@jupyterlab/application-extension:shell": {
        "layout": {
            "multiple": {
                "Table of Contents": {"area": "right", "options": {"rank": 400}}
            }
        }
    },
    "@jupyterlab/apputils-extension:notification": {
        "checkForUpdates": False,
        "fetchNews": "false",
    },
    "@jupyterlab/filebrowser-extension:browser": {
        "showLastModifiedColumn": False,
        "navigateToCurrentDirectory": True,
    },
}
# Files on the left, wide enough for their names; contents on the right.
WORKSPACE: dict[str, Any] = {
    "data": {
        "layout-restorer:data": {
            "left": {
                "collapsed": False,
                "visible": True,
                "current": "filebrowser",
                "widgets": ["filebrowser", "running-sessions"],
            },
            "right": {
                "collapsed": False,
                "visible": True,
                "current": _CONTENTS,
                "widgets": [_CONTENTS],
            },
            "relativeSizes": [0.21, 0.62, 0.17],
        }
    },
    "metadata": {"id": "default"},
}
# Lines of prose of about 80 characters; code, pictures and tables keep their room.
STYLE = """\
.jp-RenderedMarkdown > :is(p, ul, ol, blockquote, details) {
  max-width: 68ch;
}
"""
# As JupyterLab calls the file of the workspace of that name.
_WORKSPACE_FILE = "default-37a8.jupyterlab-workspace"
_CSS = "custom"


def running(folder: Path, name: str) -> str | None:
    """The address of a notebook in a JupyterLab that serves this folder already."""
    try:
        from jupyter_server.serverapp import list_running_servers
    except ImportError:  # serve() says so
        return None
    for server in list_running_servers():
        if Path(server.get("root_dir", "")).resolve() == folder.resolve():
            token = f"?token={server['token']}" if server["token"] else ""
            return f"{server['url']}lab/tree/{name}{token}"
    return None


def serve(folder: Path, name: str, words: Sequence[str]) -> int:
    """Serve the folder until Ctrl-C, with further words of JupyterLab's own."""
    try:
        from jupyterlab.labapp import LabApp
    except ImportError:
        raise SettingsError("JupyterLab is missing: pip install jupyterlab") from None

    _take_settings(folder)
    _find_room(folder)
    _greet_kernels(folder)
    server = LabApp.initialize_server(
        argv=_words(folder, name, words), static_custom_path=[str(folder / OWN / _CSS)]
    )
    print(f"Open {server.local_url}; Ctrl-C ends", flush=True)
    server.identity_provider.token_generated = False  # it has been told
    server.start()
    return 0


def _words(folder: Path, name: str, more: Sequence[str]) -> list[str]:
    own = [
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{name}",
        f"--LabApp.app_settings_dir={folder / OWN}",
        f"--LabApp.workspaces_dir={folder / OWN / 'workspaces'}",
        "--LabApp.custom_css=True",
        f"--MappingKernelManager.cull_idle_timeout={_IDLE}",
        f"--MappingKernelManager.cull_interval={_STEP}",
        "--MappingKernelManager.cull_connected=True",
        "--Application.log_level=ERROR",
        "--ServerApp.answer_yes=True",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        own.append("--allow-root")
    return [*own, *more]


def _take_settings(folder: Path) -> None:
    """The settings beside the course; a learner may change them there."""
    own = folder / OWN
    _put(own / "overrides.json", json.dumps(SETTINGS, indent=1) + "\n")
    workspace = json.dumps(WORKSPACE, indent=1) + "\n"
    _put(own / "workspaces" / _WORKSPACE_FILE, workspace)
    _put(own / _CSS / "custom.css", STYLE)


def _put(file: Path, text: str) -> None:
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _greet_kernels(folder: Path) -> None:
    """A kernel of the course knows labkit from its first cell on (labkit.interactive).

    Who has a start-up file of his own keeps it.
    """
    file = folder / OWN / "startup.py"
    file.write_text('__import__("labkit")\n', encoding="utf-8")
    os.environ.setdefault("PYTHONSTARTUP", str(file))


def _find_room(folder: Path) -> None:
    """Where the home folder takes no files, Jupyter's own lie beside the course."""
    from jupyter_core.paths import jupyter_runtime_dir

    try:
        Path(jupyter_runtime_dir()).mkdir(parents=True, exist_ok=True)
        if os.access(jupyter_runtime_dir(), os.W_OK):
            return
    except OSError:
        pass
    for name in ("RUNTIME", "CONFIG", "DATA"):
        os.environ[f"JUPYTER_{name}_DIR"] = str(folder / OWN / name.lower())
    os.environ["IPYTHONDIR"] = str(folder / OWN / "ipython")

"""Snippets for Node.js: they are run, and what they set is asked for on a connection.

``node_judge.js`` runs beside them. A server tells its keep-alive time in its answers;
an idle connection of an Agent has its timeout. ``server``, ``http``, ``https`` and an
Express-like ``app`` are there for snippets that do not make their own.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path

from tests.snippets.wrong import Missing, Wrong, ask

JUDGE = Path(__file__).with_name("node_judge.js")

_GIVEN = {
    "http": 'require("node:http")',
    "https": 'require("node:https")',
    "app": "globalThis.__app",
    "server": "globalThis.__given(http.createServer())",
}
_UNDICI = (
    "const it = globalThis.__undici;\n"
    "module.exports = { Agent: it, Pool: it, Client: it, setGlobalDispatcher() {} };\n"
)
_IMPORTS = re.compile(r"^\s*import\b", re.MULTILINE)


def check_server(text: str) -> None:
    """A server or what is done with one; it may make its own."""
    _run(text, _given(text, ("http", "https", "app", "server")))


def check_client(text: str) -> None:
    """An Agent of Node's, or one of undici, of which the names alone are judged."""
    _run(text, _given(text, ("http", "https")))


def _given(text: str, names: tuple[str, ...]) -> str:
    """Declarations of what a snippet uses and does not declare."""
    mine = [name for name in names if not _declares(text, name)]
    return "".join(f"const {name} = {_GIVEN[name]};\n" for name in _used(text, mine))


def _used(text: str, names: list[str]) -> list[str]:
    """In the order of _GIVEN: a server needs http."""
    used = [name for name in names if re.search(rf"\b{name}\b", text)]
    if "server" in used and "http" in names and "http" not in used:
        return ["http", *used]
    return used


def _declares(text: str, name: str) -> bool:
    keyword = r"\b(?:const|let|var|import)\s+"
    plain = rf"{keyword}(?:\*\s+as\s+)?{name}\b"
    return re.search(rf"{plain}|{keyword}\{{[^}}]*\b{name}\b", text) is not None


def _run(text: str, given: str) -> None:
    node = find()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        module = folder / "node_modules" / "undici"
        module.mkdir(parents=True)
        (module / "index.js").write_text(_UNDICI)
        file = folder / ("snippet.mjs" if _IMPORTS.search(text) else "snippet.cjs")
        file.write_text(_program(text, given, file.suffix))
        status, told = ask(node, "--require", JUDGE, file.name, folder=folder)
    _judged(status, told)


def _program(text: str, given: str, suffix: str) -> str:
    make = "import { createRequire } from 'node:module';\n"
    make += "const require = createRequire(import.meta.url);\n"
    head = make if suffix == ".mjs" and "require" not in text else ""
    return f"{head}{given}{text}\n;globalThis.__judge();\n"


def _judged(status: int, told: str) -> None:
    found = re.search(r"^@judge (.*)$", told, re.MULTILINE)
    if not found:
        errors = re.findall(r"^\w*Error.*$", told, re.MULTILINE)
        raise Wrong(f"Node says: {' '.join(errors) or told.strip() or status}")
    if re.search(r"\bWarning:", told):
        raise Wrong(f"Node warns: {told.splitlines()[0]}")
    wrong = json.loads(found[1])
    if wrong:
        raise Wrong(str(wrong))


def find() -> str:
    """Where Node is; Missing with the way to get it."""
    node = shutil.which("node")
    if node is None:
        raise Missing("Node.js is not installed: apt-get install nodejs")
    return node

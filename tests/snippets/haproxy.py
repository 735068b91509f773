"""Snippets for HAProxy: ``haproxy -c`` reads them; a warning counts as a refusal."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from labkit.field import PROGRAMS, MissingProgram
from tests.snippets.wrong import Missing, Wrong, ask

# Without these HAProxy warns of every section.
_DEFAULTS = """defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
"""
_FRONTEND = """frontend ingress
    bind 127.0.0.1:10000
    default_backend app
"""
_SERVER = "    server app1 127.0.0.1:8080\n"
_BACKEND = f"backend app\n{_SERVER}"
_SECTIONS = re.compile(
    r"^(global|defaults|frontend|backend|listen|resolvers|peers|ring|cache|userlist)\b",
    re.MULTILINE,
)


# -- where a snippet goes --------------------------------------------------------------


def check_sections(text: str) -> None:
    """Whole sections; the file gets defaults and a frontend if they bring none."""
    sections = {match[1] for match in _SECTIONS.finditer(text)}
    if not sections:
        raise Wrong(
            "there is no section here: tag lines of one as haproxy backend, say"
        )
    head = "" if "defaults" in sections else _DEFAULTS
    tail = "" if sections & {"frontend", "listen"} else _FRONTEND
    app = (
        "" if not tail or re.search(r"^backend app$", text, re.MULTILINE) else _BACKEND
    )
    accept(head + text + tail + app)


def check_defaults(text: str) -> None:
    accept(_DEFAULTS + _lines(text) + _FRONTEND + _BACKEND)


def check_frontend(text: str) -> None:
    accept(_DEFAULTS + _FRONTEND + _lines(text) + _BACKEND)


def check_backend(text: str) -> None:
    """The server comes last: a default-server counts for the servers below it."""
    own = re.search(r"^\s*server\s", text, re.MULTILINE)
    server = "" if own else _SERVER
    accept(f"{_DEFAULTS}{_FRONTEND}backend app\n{_lines(text)}{server}")


def _lines(text: str) -> str:
    opens = _SECTIONS.search(text)
    if opens:
        raise Wrong(f"{opens[1]!r} opens a section: tag whole sections as haproxy")
    return text


# -- what HAProxy says -----------------------------------------------------------------


def accept(text: str) -> None:
    """Wrong if HAProxy refuses this file, or warns of it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "haproxy.cfg").write_text(text)
        status, told = ask(find(), "-c", "-f", "haproxy.cfg", folder=folder)
    complaints = re.findall(r"\[(?:ALERT|WARNING)\][^:]*: *(.*)", told)
    if status or complaints:
        raise Wrong(f"HAProxy says: {' '.join(complaints) or told.strip()}")
    _has_effect(text)


# What HAProxy takes without a word, and ignores: its configuration manual, 2.6.
def _has_effect(text: str) -> None:
    for line in text.splitlines():
        if re.search(r"\bmax-reuse\b", line) and not re.search(r"\bh2\b", line):
            raise Wrong(
                "max-reuse is promised for HTTP/2 only: no limit of requests holds for "
                "HTTP/1.1"
            )
    for side in ("cli", "srv"):
        option = rf"^\s*option {side}tcpka\b"
        sets = re.search(rf"^\s*{side}tcpka-", text, re.MULTILINE)
        if sets and not re.search(option, text, re.MULTILINE):
            raise Wrong(
                f"{sets[0].strip()}... has no effect without option {side}tcpka"
            )


def find() -> str:
    """Where HAProxy is; Missing with the way to get it."""
    try:
        return PROGRAMS["haproxy"].find()
    except MissingProgram as missing:
        raise Missing(str(missing)) from None

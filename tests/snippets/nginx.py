"""Snippets for nginx: ``nginx -t`` reads them in a scratch folder, as this user.

Ports are replaced by free ones, because nginx -t opens them. What nginx accepts and
then does not do is looked for in the tree of its directives.
"""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from labkit.field import PROGRAMS, MissingProgram
from tests.snippets.directives import Directive, parsed
from tests.snippets.wrong import Missing, Wrong, ask

_HEAD = "pid nginx.pid;\nerror_log stderr warn;\nevents {}\n"
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_SERVER = "server 127.0.0.1:8080;\n"
_PASS = "proxy_pass http://app;\n"
_APP = f"upstream app {{\n{_SERVER}}}\n"
_LISTEN = "listen unix:scratch.socket;\n"


# -- where a snippet goes --------------------------------------------------------------


def check_http(text: str) -> None:
    """Lines inside ``http {}``; without an upstream app of its own it gets one."""
    mine = [each for each in parsed(text) if each.words[:2] == ["upstream", "app"]]
    accept(text if mine else _APP + text)


def check_server(text: str) -> None:
    """Lines inside ``server {}``, or the whole of it."""
    if _is_whole(text, "server"):
        check_http(text)
        return
    own = any(each.name == "location" for each in parsed(text))
    listen = "" if any(each.name == "listen" for each in parsed(text)) else _LISTEN
    place = "" if own else f"location / {{\n{_PASS}}}\n"
    accept(f"{_APP}server {{\n{listen}{text}{place}}}\n")


def check_location(text: str) -> None:
    """Lines inside ``location / {}``, which passes requests on to the upstream app."""
    if _is_whole(text, "location"):
        check_server(text)
        return
    ends = {"proxy_pass", "return", "root", "alias", "uwsgi_pass", "fastcgi_pass"}
    own = any(each.name in ends for each in parsed(text))
    place = f"location / {{\n{'' if own else _PASS}{text}}}\n"
    accept(f"{_APP}server {{\n{_LISTEN}{place}}}\n")


def check_upstream(text: str) -> None:
    """Lines inside ``upstream app {}``, to which an untouched location passes."""
    if _is_whole(text, "upstream"):
        raise Wrong(
            "show a whole upstream with the location that passes to it, as http"
        )
    own = any(each.name == "server" for each in parsed(text))
    app = f"upstream app {{\n{'' if own else _SERVER}{text}}}\n"
    accept(f"{app}server {{\n{_LISTEN}location / {{\n{_PASS}}}\n}}\n")


def _is_whole(text: str, name: str) -> bool:
    """Does the block of this name itself stand here, and not what is inside of it?"""
    return any(each.name == name and each.inside for each in parsed(text))


# -- what nginx says -------------------------------------------------------------------


def accept(http: str) -> None:
    """Wrong if nginx refuses these lines of ``http {}``, warns, or ignores them."""
    tree = parsed(http)  # first: a brace too many would end our http {}
    with tempfile.TemporaryDirectory() as scratch:
        trouble = _told(_on_free_ports(http, tree), Path(scratch))
    if trouble:
        raise Wrong(f"nginx says: {trouble}")
    keeps_connections(tree)


def _told(http: str, folder: Path) -> str:
    paths = "".join(f"{each}_temp_path {each};\n" for each in _TEMPORARY)
    text = f"{_HEAD}http {{\naccess_log off;\n{paths}{http}}}\n"
    (folder / "nginx.conf").write_text(text)
    words = ("-e", "stderr", "-p", folder, "-c", "nginx.conf", "-t", "-q")
    status, told = ask(find(), *words, folder=folder)
    said = re.sub(r"^[\d/: ]+\[", "[", told.strip(), flags=re.MULTILINE)
    said = re.sub(r"\d+#\d+: |" + re.escape(f"{folder}/"), "", said)
    return " ".join(said.split()) or ("" if status == 0 else f"status {status}")


def find() -> str:
    """Where nginx is; Missing with the way to get it."""
    try:
        return PROGRAMS["nginx"].find()
    except MissingProgram as missing:
        raise Missing(str(missing)) from None


def _on_free_ports(http: str, tree: list[Directive]) -> str:
    """The same lines, listening where nobody else does."""
    asked = {each.words[1] for each in walk(tree) if each.name == "listen"}
    for address in sorted(each for each in asked if not each.startswith("unix:")):
        free = f"listen 127.0.0.1:{_free_port()}"
        http = re.sub(rf"listen\s+{re.escape(address)}(?=[\s;])", free, http)
    return http


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- what nginx takes without a word, and ignores --------------------------------------

# nginx.org/en/docs/http/ngx_http_upstream_module.html and ..._proxy_module.html:
# before 1.29.7 an upstream keeps connections only if it says keepalive and if the
# requests to it are HTTP/1.1 without "Connection: close". From 1.29.7 on both is the
# default; whoever reads the course may have either.
_TIMERS = {"keepalive_timeout", "keepalive_requests", "keepalive_time"}


def keeps_connections(tree: list[Directive]) -> None:
    """Wrong if an upstream is to keep connections and will not, before nginx 1.29.7."""
    keeping = {each.words[1] for each in walk(tree) if _is_keeping(each)}
    passing = list(_passing(tree, (), ()))
    for name in sorted(keeping):
        to_it = [ready for target, ready in passing if target == name]
        if not (to_it and all(to_it)):
            raise Wrong(
                f"upstream {name} keeps no connection before nginx 1.29.7 unless the "
                "location that passes to it has proxy_http_version 1.1; and "
                'proxy_set_header Connection ""; (show both in one nginx http snippet)'
            )


def _is_keeping(directive: Directive) -> bool:
    if directive.name != "upstream":
        return False
    inner = {each.name for each in directive.inside or ()}
    timers = inner & _TIMERS
    if timers and "keepalive" not in inner:
        raise Wrong(f"{min(timers)} has no effect in an upstream without keepalive")
    return "keepalive" in inner


Headers = tuple[tuple[str, ...], ...]


def _passing(
    tree: list[Directive], version: tuple[str, ...], headers: Headers
) -> Iterator[tuple[str, bool]]:
    """To which upstream each location passes, and whether it keeps connections.

    A level that sets any header inherits none from above it: that is nginx's rule.
    """
    own = tuple(tuple(d.words[1:]) for d in tree if d.name == "proxy_set_header")
    headers = own or headers
    said = [tuple(d.words[1:]) for d in tree if d.name == "proxy_http_version"]
    version = said[-1] if said else version
    clears = any(name.lower() == "connection" and v == "" for name, v in headers)
    for each in tree:
        if each.name == "proxy_pass":
            target = each.words[1].split("://")[-1].split("/")[0]
            yield target, clears and version == ("1.1",)
        yield from _passing(each.inside or [], version, headers)


def walk(tree: list[Directive]) -> Iterator[Directive]:
    """Every directive, those inside of others too."""
    for each in tree:
        yield each
        yield from walk(each.inside or [])

"""Command lines of Python's servers: each is started and must answer on a connection.

A server inherits a socket that already listens, so nobody has to wait until it does:
the kernel keeps the first request for it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.snippets.wrong import PATIENCE, Missing, Wrong

BIN = Path(sys.executable).parent

_WSGI = """
def {name}(environ, start):
    start("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
_ASGI = """
async def {name}(scope, receive, send):
    while scope["type"] == "lifespan":
        step = (await receive())["type"]
        await send({{"type": step + ".complete"}})
        if step == "lifespan.shutdown":
            return
    head = {{"status": 200, "headers": [(b"content-length", b"2")]}}
    await send({{"type": "http.response.start", **head}})
    await send({{"type": "http.response.body", "body": b"ok"}})
"""
_TARGET = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_]\w*)")
# What names the place to listen at: the test has its own.
_PLACES = {
    "gunicorn": ("-b", "--bind"),
    "uvicorn": ("--host", "--port", "--uds", "--fd"),
    "hypercorn": ("-b", "--bind"),
}
_KEEPS = ("--keep-alive", "--timeout-keep-alive")
_GET = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"


# -- what may be typed -----------------------------------------------------------------


def check_gunicorn(text: str) -> None:
    """Command lines, or a gunicorn.conf.py."""
    if "gunicorn" in text.split()[:1] or re.search(r"^gunicorn ", text, re.MULTILINE):
        _check("gunicorn", text)
    else:
        _start(["gunicorn", "app:app"], settings=text)


def check_uvicorn(text: str) -> None:
    _check("uvicorn", text)


def check_hypercorn(text: str) -> None:
    _check("hypercorn", text)


def _check(program: str, text: str) -> None:
    lines = text.replace("\\\n", " ").splitlines()
    commands = [words for line in lines if (words := shlex.split(line, comments=True))]
    for words in commands:
        if words[0] != program:
            raise Wrong(f"{words[0]!r} is no command line of {program}")
        _start(words)


def _start(words: Sequence[str], settings: str = "") -> None:
    """Wrong if this command does not come up, or lets a connection go that it keeps."""
    program, *options = words
    targets = [word for word in options if _TARGET.fullmatch(word)]
    if len(targets) != 1:
        raise Wrong(f"{program} needs one application like app:app")
    options = _elsewhere(options, _PLACES[program])
    keeps = "keepalive" in settings or any(w.split("=")[0] in _KEEPS for w in options)
    with tempfile.TemporaryDirectory() as scratch, _listening() as socket_:
        folder = Path(scratch)
        _write_app(folder, targets[0], is_async=_is_async(program, [*words, settings]))
        if settings:
            (folder / "gunicorn.conf.py").write_text(settings)
        _serve([program, *options], folder, socket_, keeps)


def _elsewhere(options: Sequence[str], places: tuple[str, ...]) -> list[str]:
    """The options without those that say where to listen."""
    kept, skip = [], False
    for word in options:
        is_place = word.split("=")[0] in places
        if not skip and not is_place:
            kept.append(word)
        skip = is_place and "=" not in word
    return kept


def _is_async(program: str, words: Sequence[str]) -> bool:
    return program != "gunicorn" or bool(re.search(r"uvicorn|asgi", " ".join(words)))


def _write_app(folder: Path, target: str, is_async: bool) -> None:
    match = _TARGET.fullmatch(target)
    assert match is not None
    file = folder / f"{match[1].replace('.', '/')}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text((_ASGI if is_async else _WSGI).format(name=match[2]))


# -- the server at work ----------------------------------------------------------------


@contextlib.contextmanager
def _listening() -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


def _serve(
    words: list[str], folder: Path, listener: socket.socket, keeps: bool
) -> None:
    number = listener.fileno()
    address = listener.getsockname()
    own = ["--fd", str(number)] if words[0] == "uvicorn" else ["-b", f"fd://{number}"]
    child = subprocess.Popen(
        [find(words[0]), *own, *words[1:]],
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=[number],
        start_new_session=True,
    )
    listener.close()  # so that a connection breaks when the server is gone
    try:
        answers = _ask_twice(address)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        told, _ = child.communicate(timeout=PATIENCE)
    _judge(words[0], answers, keeps, told)


def _ask_twice(address: tuple[str, int]) -> int:
    """How many requests a connection has carried."""
    answers = 0
    with contextlib.suppress(OSError), socket.create_connection(address) as client:
        client.settimeout(PATIENCE)
        while answers < 2:
            client.sendall(_GET)
            if not _is_answered(client):
                break
            answers += 1
    return answers


def _is_answered(client: socket.socket) -> bool:
    """Reads one answer to its end, which is its body."""
    told = b""
    while not told.endswith(b"\r\n\r\nok"):
        piece = client.recv(4096)
        if not piece:
            return False
        told += piece
    return told.startswith(b"HTTP/1.1 200")


def _judge(program: str, answers: int, keeps: bool, told: str) -> None:
    lines = [line for line in told.strip().splitlines() if line.strip()]
    if answers == 0:
        last = " ".join(lines[-2:])
        raise Wrong(f"{program} does not come up; its last words: {last}")
    if keeps and answers == 1:
        raise Wrong(
            f"{program} lets every connection go after one request, so its keep-alive "
            "time has no effect: gunicorn's sync worker, the default, has none; "
            "--worker-class gthread has"
        )


def find(program: str) -> str:
    """Where a server is; they are among the packages that tests need."""
    path = BIN / program
    if not path.exists():
        raise Missing(f"{program} is not installed: pip install {program}")
    return str(path)

"""Programs that are not ours, as processes that cannot outlive this one.

All programs of a crew share one process group with a watcher: a shell that waits
for the end of its input. That end comes when the crew is dismissed and also when
this process dies, however it dies; then the watcher removes the scratch folder
and kills the group, itself included.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from labkit.proxies.errors import FieldError

SHELL = "/bin/sh"
_WATCH = 'read _; rm -rf "$0"; kill -KILL 0'

# Seconds that a program gets to leave by itself once it was asked to.
GRACE = 2.0
_PIPE = 1 << 20
_HEAR_OUT = 0.2
_PIECE = 1 << 16
_LAST_WORDS = 5
_WORDS = 400


class ProcessGroup:
    """The scratch folder and the process group of a crew."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="labkit-")
        self._watcher = subprocess.Popen(
            [SHELL, "-c", _WATCH, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        self._end = weakref.finalize(
            self, _end, os.getpid(), self._watcher, self.folder
        )

    def __repr__(self) -> str:
        return f"<Leash of process group {self.group}>"

    @property
    def group(self) -> int:
        """The process group that programs are to join."""
        return self._watcher.pid

    def end(self) -> None:
        """Kill whatever is left of the group; may be called twice."""
        self._end()


def _end(owner: int, watcher: subprocess.Popen[bytes], folder: str) -> None:
    if os.getpid() != owner:  # a fork, which has inherited this and owns nothing
        return
    # The watcher has not been waited for, so the number is still its own.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(watcher.pid, signal.SIGKILL)
    watcher.wait()
    if watcher.stdin is not None:
        watcher.stdin.close()
    shutil.rmtree(folder, ignore_errors=True)


class ProxyProcess:
    """One running program.

    ``on_line`` gets each line of its standard output and says whether it was of use;
    if not, it is a complaint like what comes on standard error. ``on_end`` gets a
    FieldError if the program ends, or says that all is lost, before :meth:`stop`.
    """

    def __init__(
        self,
        name: str,
        words: list[str],
        leash: ProcessGroup,
        on_line: Callable[[str], bool],
        on_end: Callable[[FieldError], object],
        is_fatal: Callable[[str], bool],
    ) -> None:
        self.name = name
        self._on_line = on_line
        self._on_end = on_end
        self._is_fatal = is_fatal
        self._said: deque[str] = deque(maxlen=_LAST_WORDS)
        self._stopping = False
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._process = _spawn(words, leash)
        # A program nobody holds any more is killed and waited for.
        self._kill = weakref.finalize(self, _kill, os.getpid(), self._process)
        self._out = _Pipe(self._loop, self._process.stdout, self._says, self._look)
        self._err = _Pipe(self._loop, self._process.stderr, self._complains, self._look)

    def __repr__(self) -> str:
        state = "stopping" if self._stopping else "running"
        return f"<{self.name}, process {self.pid}, {state}>"

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Has it closed what it speaks through, as only a dead process does?"""
        return self._over.done()

    async def stop(self) -> None:
        """Ask it to leave, then make it; before this returns all it said is read."""
        self._stopping = True
        try:
            if not self._over.done():
                self._process.terminate()
                await asyncio.wait([self._over], timeout=GRACE)
        finally:
            self._kill()
            self._out.close()
            self._err.close()

    def _says(self, line: str) -> None:
        if not self._on_line(line):
            self._complains(line)

    def _complains(self, line: str) -> None:
        self._said.append(line.strip())
        if self._is_fatal(line) and not self._stopping:
            # Most say it and end; what else they say is worth a moment.
            self._loop.call_later(_HEAR_OUT, self._tell, f"{self.name} complains")

    def _look(self) -> None:
        """A pipe has ended: when both have, the program is gone."""
        if not (self._out.has_ended and self._err.has_ended) or self._over.done():
            return
        self._over.set_result(None)
        if not self._stopping:
            self._tell(f"{self.name} {_how_it_ended(self._process)}")

    def _tell(self, what: str) -> None:
        self._on_end(FieldError(f"{what}; {self.last_words}"))

    @property
    def last_words(self) -> str:
        """What it wrote to standard error last, as a part of a sentence."""
        said = " | ".join(self._said)
        if not said:
            return "it said nothing"
        return f"its last words: {said[-_WORDS:]}"


def _spawn(words: list[str], leash: ProcessGroup) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=leash.folder,
        process_group=leash.group,
    )
    _widen(process.stdout)
    return process


def _widen(pipe: IO[bytes] | None) -> None:
    """Room for what a program writes while nobody reads, where one can ask for it."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)  # type: ignore[arg-type]


def _kill(owner: int, process: subprocess.Popen[bytes]) -> None:
    if os.getpid() != owner:
        return
    if process.poll() is None:
        process.kill()
    process.wait()


def _how_it_ended(process: subprocess.Popen[bytes]) -> str:
    try:
        status = process.wait(GRACE)
    except subprocess.TimeoutExpired:
        return "closed its output"
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was killed by {signal.Signals(-status).name}"


class _Pipe:
    """The lines that come through one pipe, and its end."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pipe: IO[bytes] | None,
        on_line: Callable[[str], object],
        on_end: Callable[[], object],
    ) -> None:
        assert pipe is not None
        self._loop = loop
        self._pipe = pipe
        self._on_line = on_line
        self._on_end = on_end
        self._rest = b""
        self.has_ended = False
        self._fd = pipe.fileno()
        os.set_blocking(self._fd, False)
        loop.add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        try:
            piece = os.read(self._fd, _PIECE)
        except (BlockingIOError, InterruptedError):
            return
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if not piece:
            lines.append(self._rest)
            self.close()
        for line in lines:
            if line:
                self._on_line(line.decode("utf-8", "replace"))
        if not piece:
            self._on_end()

    def close(self) -> None:
        """Read no more; may be called twice."""
        if not self.has_ended:
            self.has_ended = True
            self._loop.remove_reader(self._fd)
            self._pipe.close()

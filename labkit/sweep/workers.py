"""Worker processes that start anywhere and cannot outlive this one.

Why not ``ProcessPoolExecutor``: a fork copies a kernel with its threads and their
locks; spawn and forkserver run the caller's ``__main__`` again, which a script without
a guard does not survive; and the workers of all three go on waiting when their parent
is killed. Here each worker is a fresh interpreter that imports labkit and nothing of
the caller, and that ends with the end of its input: the kernel closes this pipe when we
die, however we die.

Jobs go to its standard input and results come from its standard output, pickled, one
after the other. One thread of ours keeps each worker company.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from labkit.settings import SettingsError

P = ParamSpec("P")
T = TypeVar("T")

MOST = 256

# A worker that dies is replaced and its job begins anew, for an operating system short
# of memory kills at random. A job that takes its worker along every time is at fault.
TRIES = 3

_START = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from labkit.sweep.worker import main; main()"
)


class WorkerDied(RuntimeError):
    """A job took its worker along, as often as it was tried."""


class Workers(Executor):
    """So many worker processes; each starts with its first job."""

    def __init__(self, count: int) -> None:
        check_workers("processes", count)
        self._count = count
        self._queue: SimpleQueue[_Task | None] = SimpleQueue()
        self._colleagues: list[_Colleague] = []
        self._is_open = True

    def __repr__(self) -> str:
        return f"<Workers: {self._count} processes, {len(self.pids)} running>"

    @property
    def pids(self) -> list[int]:
        """The numbers of the processes that are running."""
        return [each.pid for each in self._colleagues if each.pid]

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Call ``fn``, which a worker must be able to import, in a worker."""
        if not self._is_open:
            raise RuntimeError("these workers were sent home")
        future: Future[T] = Future()
        self._queue.put(_Task(future, pickle.dumps((fn, args, kwargs))))
        if len(self._colleagues) < self._count:
            self._colleagues.append(_Colleague(self._queue))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Send all workers home: at once with ``cancel_futures``, else when done."""
        self._is_open = False
        if cancel_futures:
            _empty(self._queue)
        for _ in self._colleagues:
            self._queue.put(None)
        for each in self._colleagues:
            each.leave(at_once=cancel_futures)
        if wait:
            for each in self._colleagues:
                each.join()


def check_workers(name: str, count: object) -> None:
    """SettingsError unless it is a number of workers that a machine may bear."""
    is_whole = isinstance(count, int) and not isinstance(count, bool)
    if not is_whole or not 1 <= int(str(count)) <= MOST:
        raise SettingsError(
            f"{name} is {count!r}; allowed: a whole number from 1 to {MOST}"
        )


def cores() -> int:
    """How many processes this one may run side by side."""
    if hasattr(os, "sched_getaffinity"):
        return min(MOST, len(os.sched_getaffinity(0)))
    return min(MOST, os.cpu_count() or 1)


def _empty(queue: SimpleQueue[_Task | None]) -> None:
    while not queue.empty():
        task = queue.get()
        if task is not None:
            task.future.cancel()


class _Task:
    """A call, pickled, and the future that waits for it."""

    def __init__(self, future: Future[Any], call: bytes) -> None:
        self.future = future
        self.call = call

    def settle(self, answer: bytes) -> None:
        """Tell the future what came of the call."""
        try:
            result, error = pickle.loads(answer)
        except Exception as unreadable:
            result, error = None, unreadable
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class _Colleague:
    """A worker process with the thread that hands it its jobs."""

    def __init__(self, queue: SimpleQueue[_Task | None]) -> None:
        self._queue = queue
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._is_leaving = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """Of the process; 0 while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else 0

    def leave(self, at_once: bool) -> None:
        """End the process, in the middle of its job if need be."""
        with self._lock:
            self._is_leaving = at_once
            if at_once and self._process is not None:
                self._process.kill()

    def join(self) -> None:
        """Wait until process and thread are gone."""
        self._thread.join()

    def _serve(self) -> None:
        while (task := self._queue.get()) is not None:
            if task.future.set_running_or_notify_cancel():
                self._carry_out(task)
        self._put_away()

    def _carry_out(self, task: _Task) -> None:
        try:
            answer = self._asked(task.call)
        except Exception as error:
            task.future.set_exception(error)
        else:
            task.settle(answer)

    def _asked(self, call: bytes) -> bytes:
        for _ in range(TRIES):
            process = self._running()
            with suppress(BrokenPipeError, EOFError):
                return _ask(process, call)
            self._put_away()
        raise WorkerDied(f"a worker died of the same job {TRIES} times")

    def _running(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_leaving:
                raise WorkerDied("the workers were sent home in the middle of a job")
            if self._process is None:
                self._process = _started()
            return self._process

    def _put_away(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            _end(process)


def _started() -> subprocess.Popen[bytes]:
    """A worker. Ctrl-C is ours alone: in its own group it does not hear of it."""
    return subprocess.Popen(
        [sys.executable, "-c", _START, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0 if os.name == "posix" else None,
    )


def _ask(process: subprocess.Popen[bytes], call: bytes) -> bytes:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(len(call).to_bytes(8, "big") + call)
    process.stdin.flush()
    return read_frame(process.stdout)


def read_frame(stream: Any) -> bytes:
    """The next frame: eight bytes of length, then so many; EOFError at the end."""
    size = int.from_bytes(_exactly(stream, 8), "big")
    return _exactly(stream, size)


def _exactly(stream: Any, size: int) -> bytes:
    told: bytes = stream.read(size)
    if len(told) < size:
        raise EOFError
    return told


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process is gone when this returns."""
    process.kill()
    with suppress(BrokenPipeError):
        process.communicate()

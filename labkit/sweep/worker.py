"""The other end of :mod:`labkit.sweep.workers`: a process that calls what it is sent.

It ends with its input, in the middle of a job: whoever wanted the result is gone.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from queue import SimpleQueue
from typing import BinaryIO

from labkit.sweep.workers import read_frame


def main() -> None:
    """Serve until the input ends, then be gone at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _answers()
    calls: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(calls,), daemon=True).start()
    while True:
        _tell(answers, _called(calls.get()))


def _tell(answers: BinaryIO, answer: bytes) -> None:
    try:
        answers.write(len(answer).to_bytes(8, "big") + answer)
        answers.flush()
    except BrokenPipeError:
        os._exit(0)


def _answers() -> BinaryIO:
    """Standard output for ourselves; what others print goes to standard error."""
    mine = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return mine


def _listen(calls: SimpleQueue[bytes]) -> None:
    try:
        while True:
            calls.put(read_frame(sys.stdin.buffer))
    finally:
        os._exit(0)


def _called(call: bytes) -> bytes:
    """The result and the error of a call, one of them None, pickled."""
    try:
        fn, args, kwargs = pickle.loads(call)
        return pickle.dumps((fn(*args, **kwargs), None))
    except Exception as error:
        return _told(error)


def _told(error: Exception) -> bytes:
    try:
        return pickle.dumps((None, error))
    except Exception:  # an error that holds what cannot travel
        return pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}")))

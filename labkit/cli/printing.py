"""Lines for somebody who may not read them: printed beside the work, never by it.

A pipe holds 64 kB; who prints into a full one waits for its reader. So a thread of its
own prints, what is said meanwhile waits in a queue with an end, and what finds that
full is counted and dropped. Whoever wants to stop does not wait for a reader either.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

MOST = 10_000  # lines that wait
_PATIENCE = 0.5  # seconds that a reader gets for what still waits at the end


class Printer:
    """Prints lines in their order; ``on_gone`` is called once if nobody can read them.

    ``dropped`` is how many lines found the queue full. Nothing that it does can raise:
    the program under it goes on as if nobody had ever read.
    """

    def __init__(self, out: TextIO, on_gone: Callable[[OSError], object]) -> None:
        self._out = out
        self._on_gone = on_gone
        self._waiting: deque[str] = deque()
        self._news = threading.Condition()
        self._is_ending = False
        self.dropped = 0
        self._thread = threading.Thread(
            target=self._print, name="labkit-printer", daemon=True
        )
        self._thread.start()

    def say(self, line: str) -> None:
        """Have a line printed; comes back at once."""
        with self._news:
            if len(self._waiting) >= MOST:
                self.dropped += 1
                return
            self._waiting.append(line)
            self._news.notify()

    def end(self, *last: str) -> bool:
        """Print what waits and these last lines; was there a reader for them?"""
        with self._news:
            self._waiting.extend(last)
            self._is_ending = True
            self._news.notify()
        self._thread.join(_PATIENCE)
        return not self._thread.is_alive()

    def _print(self) -> None:
        try:
            while lines := self._next():
                self._out.write("".join(f"{line}\n" for line in lines))
                self._out.flush()
        except (OSError, ValueError) as error:
            with self._news:
                self._waiting = deque(maxlen=0)
            self._on_gone(error if isinstance(error, OSError) else OSError(str(error)))

    def _next(self) -> list[str]:
        """All that waits, as soon as something does; nothing at the end."""
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._is_ending)
            lines = list(self._waiting)
            self._waiting.clear()
            return lines


def leave_unread(status: int) -> None:
    """End this process without a wait for what nobody reads.

    Python flushes its streams when it ends, and would wait for their reader as well.
    """
    os._exit(status)

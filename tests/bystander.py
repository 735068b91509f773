"""Watches a process from outside: how long do its threads wait for a processor?

A process of its own, for what it opens must not be counted among the descriptors of
the one it watches. Every byte on its standard input is answered by a line: the
longest that any thread of that process, or of its children, could have run and did
not between two looks since the last byte, in seconds. Linux counts that (the second
figure of a thread's schedstat, in ns); elsewhere nothing is ever seen.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress

_TICK = 0.002
# Every so many looks the children are looked at as well, with all their threads.
_LOOK = 10

# Seconds by a thread's folder.
Waits = dict[str, float]


class Bystander:
    """Who looks at one process."""

    def __init__(self, pid: int) -> None:
        self.worst = 0.0
        self._pid = str(pid)
        self._waited: list[Waits] = [{}, {}]
        self._looks = 0

    def look(self, closely: bool = False) -> None:
        """Compare with the last time; ``closely``: at the children, too."""
        self._note(0, threads(self._pid))
        self._looks += 1
        if closely or self._looks % _LOOK == 0:
            self._note(1, self._threads_of_children())

    def _note(self, whose: int, several: Iterable[str]) -> None:
        waited, now = self._waited[whose], waits(several)
        for thread, seconds in now.items():
            self.worst = max(self.worst, seconds - waited.get(thread, seconds))
        self._waited[whose] = now

    def _threads_of_children(self) -> Iterator[str]:
        for thread in threads(self._pid):
            for child in _read(f"{thread}/children").split():
                if int(child) != os.getpid():
                    yield from threads(child)


def waits(several: Iterable[str]) -> Waits:
    """Seconds for which each thread wanted to run and did not, so far."""
    read = {thread: _read(f"{thread}/schedstat").split() for thread in several}
    return {thread: int(told[1]) * 1e-9 for thread, told in read.items() if told}


def threads(process: str) -> Iterator[str]:
    """The folders of a process's threads."""
    folder = f"/proc/{process}/task"
    with suppress(OSError):
        for thread in os.listdir(folder):
            yield f"{folder}/{thread}"


def _read(file: str) -> str:
    """Nothing for a thread that has ended, and where there is no such file."""
    try:
        with open(file) as told:
            return told.read()
    except OSError:
        return ""


def main(pid: int) -> None:
    """Look, and answer, until the questions end."""
    bystander = Bystander(pid)
    while True:
        asked = select.select([0], [], [], _TICK)[0]
        bystander.look(closely=bool(asked))
        if asked:
            if not os.read(0, 1):
                return
            os.write(1, b"%.9f\n" % bystander.worst)
            bystander.worst = 0.0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(int(sys.argv[1]))

"""The contract of a real proxy: how it is told the knobs, started and understood."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from labkit.settings import Pool, Server


@dataclass(frozen=True, slots=True)
class Place:
    """A proxy's place in a chain: the server end of one hop, the pool of the next.

    ``number`` tells the places of one process apart, ``port`` is where it listens,
    ``upstream`` the port that it forwards to, both on 127.0.0.1.
    """

    number: int
    port: int
    upstream: int
    server: Server
    pool: Pool


@dataclass(frozen=True, slots=True)
class Statement:
    """One line of a program's access log, in the lab's words.

    ``request`` is the header by which the lab knows the request. ``cause`` is given
    when the program answered itself because its upstream hop failed. ``near`` is
    the client's port of the downstream connection, ``far`` the program's own port
    of the last upstream connection, 0 where it is not known.
    """

    place: int
    request: str
    method: str
    status: int | None
    flags: str = "-"
    details: str = "-"
    cause: str | None = None
    attempts: int = 1
    near: int = 0
    far: int = 0


def anything(value: Any, section: Any) -> bool:
    """The program can express every value."""
    return True


class Directive(NamedTuple):
    """How a program says one knob.

    ``says`` is its own name for it ("" where there is none), ``takes`` tells of a
    value and its section whether it can be said, ``allowed`` is that in words.
    """

    says: str
    takes: Callable[[Any, Any], bool] = anything
    allowed: str = ""


def only(value: Any, allowed: str) -> Directive:
    """A knob of which the program knows one value, whatever is configured."""
    return Directive("", lambda asked, section: bool(asked == value), allowed)


def span(says: str, longest: float = math.inf) -> Directive:
    """A time span; all programs count in milliseconds and take 0 for something else."""

    def is_span(asked: Any, section: Any) -> bool:
        return bool(asked == math.inf or 0.001 <= asked <= longest)

    to = "or more" if longest == math.inf else f"to {longest:.0f}"
    return Directive(says, is_span, f"0.001 seconds {to}, or inf")


def statuses(says: str, known: frozenset[int]) -> Directive:
    """Status codes to be retried, of those that the program knows for it."""
    listed = ", ".join(map(str, sorted(known)))
    return Directive(says, lambda asked, section: known >= set(asked), f"of {listed}")


Words = Mapping[str, Directive]

# An entry of the access log, or None for a line that is something else.
Reader = Callable[[str], Statement | None]


class Program(Protocol):
    """A real proxy. One process may take the places of many chains."""

    @property
    def name(self) -> str:
        """What the command line calls it."""

    @property
    def file(self) -> str:
        """The name of its configuration file, which may matter to it."""

    @property
    def tells_all(self) -> bool:
        """Has every request that it reads a line in its log?"""

    @property
    def server(self) -> Words:
        """Its words for the server end of a hop."""

    @property
    def pool(self) -> Words:
        """Its words for the client end."""

    @property
    def retry(self) -> Words:
        """Its words for the retry policy of the client end."""

    def find(self) -> str:
        """The path of the executable; MissingProgram with the way to get it."""

    def configuration(self, places: Sequence[Place], folder: str) -> str:
        """The text of its configuration file; scratch files go into ``folder``."""

    def command(self, path: str, file: str, folder: str) -> list[str]:
        """The words that start it, so that it stays in the foreground."""

    def reader(self) -> Reader:
        """Somebody who reads what one process writes to its standard output."""

    def is_fatal(self, line: str) -> bool:
        """Does this line, no entry of its log, mean that all is lost?"""


def search(name: str) -> str | None:
    """A program on the PATH, or in the sbin beside one of its bins.

    Debian keeps servers in /usr/sbin, which an ordinary user's PATH leaves out.
    """
    bins = os.environ.get("PATH", "").split(os.pathsep)
    sbins = [each[:-3] + "sbin" for each in bins if each.endswith("/bin")]
    return shutil.which(name, path=os.pathsep.join([*bins, *sbins]))

"""The real proxies of one chain, or of many: who stands where, started and stopped.

Chains side by side share their programs: one process per position in the chain,
however many trials there are.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit.net import LOOPBACK, Address
from labkit.proxies.errors import FieldError
from labkit.proxies.process import ProcessGroup, ProxyProcess
from labkit.proxies.program import Place, Program
from labkit.proxies.programs import OURS, PROGRAMS
from labkit.proxies.reconciler import LogReconciler
from labkit.settings import Scenario

# Seconds that a program may take until it listens, and between two looks.
PATIENCE = 15.0
_LOOK_AGAIN = 0.003
# So often, that is for 0.3 s, it looks for lines of the log that are still missing.
_LOOKS = 100


class ProxyGroup:
    """The programs by their position: ``names[p]`` is the proxy after hop p.

    ``programs`` says what is behind a name; "labkit" is our own proxy and none of
    the crew's. ``on_trouble`` is called with a FieldError if a program ends.
    """

    def __init__(
        self,
        names: Sequence[str],
        programs: Mapping[str, Program] = PROGRAMS,
        title: str = "",
    ) -> None:
        self.names = tuple(names)
        self.title = title or ",".join(self.names)
        self._programs = programs
        self.on_trouble: Callable[[FieldError], object] | None = None
        # Asked before the programs end: is a line of the log still to come?
        self.awaiting: list[Callable[[], bool]] = []
        self._posts: list[_Post] = []
        self._children: dict[int, ProxyProcess] = {}
        self._leash: ProcessGroup | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._fallen: asyncio.Future[FieldError] | None = None

    def __repr__(self) -> str:
        return f"<Crew {','.join(self.names)}: {len(self._children)} processes>"

    @property
    def pids(self) -> list[int]:
        """The numbers of the running processes."""
        running = (each for each in self._children.values() if not each.has_ended)
        return [child.pid for child in running]

    def is_real(self, position: int) -> bool:
        """Does a program stand after hop ``position``?"""
        return 0 <= position < len(self.names) and self.names[position] != OURS

    def seat(
        self, scenario: Scenario, hop: int, upstream: Address, account: LogReconciler
    ) -> Address:
        """Give the program after hop ``hop`` a place; says where it will listen."""
        holder = _reserve()
        server, pool = scenario.hops[hop].server, scenario.hops[hop + 1].pool
        place = Place(
            len(self._posts), holder.getsockname()[1], upstream[1], server, pool
        )
        account.take(hop, place, self._programs[self.names[hop]].tells_all)
        self._posts.append(_Post(hop, place, holder, account))
        return LOOPBACK, place.port

    # -- start and stop ------------------------------------------------------------

    async def start(self) -> None:
        """Start every program and wait until all of them listen."""
        loop = asyncio.get_running_loop()
        self._fallen = loop.create_future()
        self._leash = ProcessGroup()
        for position in range(len(self.names)):
            posts = [post for post in self._posts if post.hop == position]
            if posts:
                self._launch(self._programs[self.names[position]], position, posts)
        await self.guard(self._until_all_listen())

    def _launch(self, program: Program, position: int, posts: list[_Post]) -> None:
        assert self._leash is not None
        folder = Path(self._leash.folder) / str(position)
        folder.mkdir()
        file = folder / program.file
        file.write_text(
            program.configuration([post.place for post in posts], str(folder))
        )
        words = program.command(program.find(), str(file), str(folder))

        read = program.reader()

        def on_line(line: str) -> bool:
            entry = read(line)
            if entry is not None:
                self._posts[entry.place].account.post(position, entry)
            return entry is not None

        self._children[position] = ProxyProcess(
            program.name, words, self._leash, on_line, self._fell, program.is_fatal
        )

    async def _until_all_listen(self) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        for post in self._posts:
            while not _listens(post.place.port):
                if asyncio.get_running_loop().time() > deadline:
                    child = self._children[post.hop]
                    raise FieldError(
                        f"{child.name} does not listen after {PATIENCE:g} s; "
                        f"{child.last_words}"
                    )
                await asyncio.sleep(_LOOK_AGAIN)

    def _fell(self, error: FieldError) -> None:
        if self._fallen is None or self._fallen.done():
            return
        self._fallen.set_result(error)
        if self.on_trouble is not None:
            self.on_trouble(error)

    async def guard(self, work: Coroutine[Any, Any, object]) -> None:
        """Wait for ``work``; FieldError at once if a program ends meanwhile."""
        assert self._fallen is not None
        task = asyncio.create_task(work)
        either: list[asyncio.Future[Any]] = [task, self._fallen]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
            await asyncio.wait([task])
        if self._fallen.done():
            raise self._fallen.result()
        task.result()

    async def stop(self) -> None:
        """End every program, however often and by however many this is called."""
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._stop())
        await asyncio.shield(self._stopping)

    async def _hear_the_rest(self) -> None:
        """Wait for the lines of what is answered: some programs log a little later,
        and HAProxy not at all once it was asked to leave."""
        for _ in range(_LOOKS):
            has_fallen = self._fallen is None or self._fallen.done()
            if has_fallen or not any(awaits() for awaits in self.awaiting):
                return
            await asyncio.sleep(_LOOK_AGAIN)

    async def _stop(self) -> None:
        try:
            await self._hear_the_rest()
            if self._children:
                ends = [child.stop() for child in self._children.values()]
                await asyncio.wait([asyncio.ensure_future(end) for end in ends])
        finally:
            if self._leash is not None:
                self._leash.end()
            for post in self._posts:
                post.holder.close()


class _Post:
    """A place, the socket that keeps its port free for it, and who is told."""

    def __init__(
        self, hop: int, place: Place, holder: socket.socket, account: LogReconciler
    ) -> None:
        self.hop = hop
        self.place = place
        self.holder = holder
        self.account = account


def _reserve() -> socket.socket:
    """A port of our own that a program can listen on while we hold it.

    Both sockets say SO_REUSEPORT and belong to one user; ours never listens.
    """
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind((LOOPBACK, 0))
    return holder


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0

"""A chain left running on real sockets, for the learner's own clients."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from labkit import resources
from labkit.clock import wind_up
from labkit.lab.chain import Chain
from labkit.lab.engines import real_proxies
from labkit.lab.fleet import DOWN
from labkit.net.precise import precise_loop
from labkit.records.ledger import EPOCH, Exchanges, Ledger
from labkit.records.trace import ConnectionLife, Trace
from labkit.settings import Event, Scenario, SettingsError, schedule
from labkit.settings.validators import shown

if TYPE_CHECKING:
    from labkit.net.loopback import LoopbackNetwork
    from labkit.proxies import FieldError, ProxyGroup, Seats
    from labkit.roles.server.access_log import Access
    from labkit.roles.server.server import Handler

T = TypeVar("T")
_NOT_RUNNING = "the lab is not running: call start() first"

# Labs with a port of their own choice, by that port.
_on_port: weakref.WeakValueDictionary[int, Lab] = weakref.WeakValueDictionary()


class _Engine:
    """The thread and the loop on which a lab's chain lives; knows no Lab."""

    def __init__(self) -> None:
        self.loop = precise_loop()
        self.chain: Chain | None = None
        self._thread = threading.Thread(
            target=_live, args=(self.loop,), name="labkit-lab", daemon=True
        )
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done on the loop, and wait for it."""
        pending = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return pending.result()
        except BaseException:
            pending.cancel()
            raise

    def end(self) -> None:
        """Close every connection, then the loop and its thread."""
        if threading.current_thread() is self._thread:
            # Nobody holds the lab any more, and it is here that this was noticed.
            self.loop.create_task(self._close()).add_done_callback(self._stop)
            return
        try:
            self.do(self._close())
        finally:
            self._stop()
            self._thread.join()

    async def _close(self) -> None:
        if self.chain is not None:
            await self.chain.close()

    def _stop(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)


class _Urls(dict[str, str]):
    """Addresses by name, which say what is wrong with a name."""

    def __missing__(self, name: object) -> NoReturn:
        if not self:
            raise RuntimeError(_NOT_RUNNING)
        there = ", ".join(self)
        raise SettingsError(f"no server is called {shown(name)}; there are: {there}")


class Lab:
    """The chain of a scenario on 127.0.0.1, running until it is stopped.

    In place of a scenario: its file, or the name of one that comes with the lab.
    It lives on an event loop of its own in one daemon thread, so the cell that
    follows may block. A context manager (``with`` and ``async with``), or
    ``start()`` and ``stop()``; one that nobody holds any more stops by itself.
    ``port`` asks for a fixed port of the first server; 0 takes a free one.
    ``handler`` is an application in the origin's place; ``on_exchange`` is called
    with a request's number after its outcome, ``on_access`` with a line of the first
    server's access log. ``proxy`` puts real programs in the place of proxies, as in
    :func:`labkit.run`; ``on_trouble`` is called, in the lab's thread, with the
    FieldError of one that ends on its own.

    It keeps all that passes, 0.3 to 2 kB a request; without ``keeps_trace`` it keeps
    only the row of each request, about 60 bytes, and no trace and no lives.
    """

    def __init__(
        self,
        scenario: Scenario | Path | str,
        port: int = 0,
        handler: Handler | None = None,
        on_exchange: Callable[[int], None] | None = None,
        on_access: Callable[[Access], None] | None = None,
        proxy: str = "labkit",
        on_trouble: Callable[[FieldError], None] | None = None,
        keeps_trace: bool = True,
    ) -> None:
        self._scenario = scenario = resources.scenario(scenario)
        crew = real_proxies(scenario, "live", proxy)
        self.proxy = proxy
        self._port = port
        # Only the trace knows what a real program does to its connections.
        self._keeps_trace = keeps_trace or crew is not None
        self._handler = handler
        self.on_exchange = on_exchange
        self.on_access = on_access
        self.on_trouble = on_trouble
        # What the calendar shows at the start, in seconds since 1970.
        self.calendar = EPOCH
        self._seats: Seats | None = None
        self._engine: _Engine | None = None
        self._end: Callable[[], object] = _nothing
        self._urls: dict[str, str] = {}
        self._trace = Trace()
        self._ledger = Ledger(len(scenario.hops))

    def __repr__(self) -> str:
        if not self.is_running:
            return "<Lab: stopped>"
        where = ", ".join(f"{name} {url}" for name, url in self._urls.items())
        return f"<Lab: {where}; {len(self.exchanges)} requests>"

    @property
    def is_running(self) -> bool:
        """Has it been started and not yet stopped?"""
        return self._engine is not None

    @property
    def urls(self) -> dict[str, str]:
        """The address of each server by its name, reached through its hop's link.

        None when stopped: to ask for one is a RuntimeError then, and a SettingsError
        for a name that no server has.
        """
        return _Urls(self._urls)

    @property
    def scenario(self) -> Scenario:
        """The settings as they stand now."""
        return self._chain.scenario if self.is_running else self._scenario

    @property
    def trace(self) -> Trace:
        """Every segment so far."""
        return self._trace

    @property
    def exchanges(self) -> Exchanges:
        """Every request so far."""
        return self._ledger.exchanges

    @property
    def ledger(self) -> Ledger:
        """The sums: hops, errors, statuses, flags."""
        self._settle()
        return self._ledger

    @property
    def lives(self) -> list[ConnectionLife]:
        """Every connection so far."""
        self._settle()
        return self._ledger.lives

    def _settle(self) -> None:
        if self._seats is not None:
            self._seats.account.settle()

    # -- start and stop ------------------------------------------------------------

    def start(self) -> Self:
        """Open all servers; returns itself. Does nothing if it runs already.

        A lab that was started on the same ``port`` before, as when a cell is run
        twice, is stopped first. Raises OSError when somebody else has the port.
        """
        if self.is_running:
            return self
        if self._port:
            former = _on_port.get(self._port)
            if former is not None:
                former.stop()
            _on_port[self._port] = self
        engine = _Engine()
        try:
            engine.chain, self._urls = engine.do(self._open())
        except BaseException:
            engine.end()
            raise
        self._engine = engine
        # Called by stop(), when nobody holds this lab, or when Python ends.
        self._end = weakref.finalize(self, engine.end)
        return self

    def stop(self) -> None:
        """Close every connection and the loop; may be called twice."""
        self._engine = None
        self._urls = {}
        self._end()

    async def _open(self) -> tuple[Chain, dict[str, str]]:
        from labkit.net.loopback import LoopbackNetwork

        loop = asyncio.get_running_loop()
        self._trace = Trace()
        hops = len(self._scenario.hops)
        self._ledger = Ledger(hops, self._keeps_trace, epoch=loop.time())
        self._ledger.calendar = self.calendar
        network = self._network(LoopbackNetwork, self._ledger.epoch)
        crew = real_proxies(self._scenario, "live", self.proxy)
        self._seats = None if crew is None else self._give_seats(crew, network)
        chain = Chain(
            self._scenario,
            network,
            self._ledger,
            self._handler,
            seats=self._seats,
            on_exchange=self.on_exchange,
            on_access=self.on_access,
        )
        try:
            listening = await chain.start()
            if crew is not None:
                await crew.start()
        except BaseException:
            await chain.close()
            raise
        names = self._scenario.parties[1:]
        places = [server.address for server in listening]
        pairs = zip(names, places, strict=True)
        return chain, {name: f"http://{host}:{port}" for name, (host, port) in pairs}

    def _give_seats(self, crew: ProxyGroup, network: LoopbackNetwork) -> Seats:
        from labkit.proxies import Seats

        crew.on_trouble = self.on_trouble
        seats = Seats(crew, self._scenario, network, self._ledger, self._trace)
        seats.account.on_exchange = self.on_exchange
        seats.account.on_access = self.on_access
        return seats

    def _network(self, make: type[LoopbackNetwork], epoch: float) -> LoopbackNetwork:
        links = [hop.link for hop in self._scenario.hops]
        fixed = {0: self._port}
        trace = self._trace if self._keeps_trace else None
        return make(links, self._scenario.seed, trace, epoch, fixed)

    @property
    def _chain(self) -> Chain:
        if self._engine is None or self._engine.chain is None:
            raise RuntimeError(_NOT_RUNNING)
        return self._engine.chain

    # -- while it runs -------------------------------------------------------------

    def set(self, path: str, value: object) -> None:
        """Turn a knob of the running chain, e.g. ``hop.1.server.idle_timeout``.

        Raises SettingsError for a wrong path or value and for a knob of a real
        proxy, which would have to be started anew; RuntimeError when stopped.
        """
        self._do(self._set(path, value))

    async def _set(self, path: str, value: object) -> None:
        if self._seats is not None:
            self._seats.refuse_turning(path, value)
        await self._chain.set(path, value)

    def drain(self, hop: int, how: float | str = "immediate") -> None:
        """Let the server of a hop say goodbye, as the schedule's "drain" does.

        Its responses say ``Connection: close`` from now on: all of them
        ("immediate"), ever more of them over so many seconds (a number), or none, and
        it refuses new connections ("listeners"). Raises SettingsError for a hop that
        the chain has not, one of a real program, and any other ``how``; RuntimeError
        when stopped.
        """
        self._do(self._begin("drain", hop, how))

    def deploy(self, hop: int, downtime: float = DOWN, wait: bool = True) -> None:
        """Replace the server of a hop by a new one, as the schedule's "deploy" does.

        It stops listening and drains its connections; ``downtime`` seconds later it
        is gone and the new one listens, whose pool towards the next hop is empty.
        Comes back then, or at once without ``wait``: for requests that meet it
        halfway. Raises as :meth:`drain` does.
        """
        over = self._do(self._begin("deploy", hop, downtime))
        if wait:
            self._do(_end_of(over))

    def kill(
        self,
        hop: int,
        downtime: float = DOWN,
        wait: bool = True,
        replica: int | None = None,
    ) -> None:
        """Let the server of a hop crash, as the schedule's "kill" does.

        Every connection ends with a RST, and SYNs are refused for ``downtime``
        seconds; of several servers all crash, or the ``replica`` of this number. Comes
        back when it is back, or at once without ``wait``. Raises as :meth:`drain` does.
        """
        over = self._do(self._begin("kill", hop, downtime, replica=replica))
        if wait:
            self._do(_end_of(over))

    def outage(
        self,
        hop: int,
        seconds: float = DOWN,
        how: str = "refuse",
        wait: bool = True,
        replica: int | None = None,
    ) -> None:
        """Let the server of a hop be out of reach, as the schedule's "outage" does.

        ``how``: "refuse" or "silence". Comes back when it can be reached again, or at
        once without ``wait``. Raises as :meth:`drain` does.
        """
        over = self._do(self._begin("outage", hop, seconds, replica=replica, how=how))
        if wait:
            self._do(_end_of(over))

    async def _begin(
        self, action: str, hop: int, value: object, **more: Any
    ) -> asyncio.Task[None]:
        try:
            event = Event(action=action, path=f"hop.{hop}", value=value, **more)
        except SettingsError as error:
            told = str(error).replace(f"{Event.where}.", f"{action}.", 1)
            raise SettingsError(told) from None
        schedule.check_event(self._chain.scenario, event, action)
        if self._seats is not None:
            self._seats.refuse_goodbye(event.path)
        task = self._chain.begin(event)
        await asyncio.sleep(0)  # it has begun when this returns
        return task

    def drive(self) -> None:
        """Send the scenario's own traffic through the running chain, and wait.

        FieldError as soon as a real proxy ends on its own, or has done so before.
        """
        drive = self._chain.drive()
        seats = self._seats
        self._do(drive if seats is None else seats.crew.guard(drive))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        if self._engine is None:
            work.close()
            raise RuntimeError(_NOT_RUNNING)
        return self._engine.do(work)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.stop)


async def _end_of(task: asyncio.Task[None]) -> None:
    """Wait for it; who gives up waiting does not stop it."""
    await asyncio.shield(task)


def _nothing() -> None:
    """What ends a lab that was never started."""


def _live(loop: asyncio.AbstractEventLoop) -> None:
    """The life of the lab's thread: until stopped, then nothing stays behind."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        wind_up(loop)
        asyncio.set_event_loop(None)

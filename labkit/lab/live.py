"""A chain left running on real sockets, for the learner's own clients."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from labkit.clock import wind_up
from labkit.lab.chain import Chain
from labkit.ledger import Exchanges, Ledger
from labkit.settings import Scenario
from labkit.wire import ConnectionLife, Trace

if TYPE_CHECKING:
    from labkit.net.loopback import LoopbackNetwork
    from labkit.roles.server import Handler

T = TypeVar("T")


class Lab:
    """The chain of a scenario on 127.0.0.1, running until it is stopped.

    It lives on an event loop of its own in one daemon thread, so the cell that
    follows may block. A context manager (``with`` and ``async with``), or
    ``start()`` and ``stop()``. ``port`` asks for a fixed port of the first
    server; 0 takes a free one. ``handler`` is an application in the origin's
    place; ``on_exchange`` is called with a request's number after its outcome.
    """

    def __init__(
        self,
        scenario: Scenario,
        port: int = 0,
        handler: Handler | None = None,
        on_exchange: Callable[[int], None] | None = None,
    ) -> None:
        self._scenario = scenario
        self._port = port
        self._handler = handler
        self.on_exchange = on_exchange
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._chain: Chain | None = None
        self._urls: dict[str, str] = {}
        self._trace = Trace()
        self._ledger = Ledger(len(scenario.hops))

    def __repr__(self) -> str:
        if self._chain is None:
            return "<Lab: stopped>"
        where = ", ".join(f"{name} {url}" for name, url in self._urls.items())
        return f"<Lab: {where}; {len(self.exchanges)} requests>"

    @property
    def is_running(self) -> bool:
        """Has it been started and not yet stopped?"""
        return self._chain is not None

    @property
    def urls(self) -> dict[str, str]:
        """The address of each server by its name, reached through its hop's link."""
        return dict(self._urls)

    @property
    def scenario(self) -> Scenario:
        """The settings as they stand now."""
        return self._scenario if self._chain is None else self._chain.scenario

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
        return self._ledger

    @property
    def lives(self) -> list[ConnectionLife]:
        """Every connection so far."""
        return self._ledger.lives

    # -- start and stop ------------------------------------------------------------

    def start(self) -> Self:
        """Open all servers; returns itself. Does nothing if it runs already.

        Raises OSError when ``port`` is taken.
        """
        if self.is_running:
            return self
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(
            target=_live, args=(self._loop,), name="labkit-lab", daemon=True
        )
        self._thread.start()
        atexit.register(self.stop)
        try:
            self._do(self._open())
        except BaseException:
            self._end_thread()
            raise
        return self

    def stop(self) -> None:
        """Close every connection and the loop; may be called twice."""
        chain, self._chain = self._chain, None
        if chain is None:
            return
        try:
            self._do(chain.close())
        finally:
            self._end_thread()

    async def _open(self) -> None:
        from labkit.net.loopback import LoopbackNetwork

        loop = asyncio.get_running_loop()
        self._trace = Trace()
        self._ledger = Ledger(len(self._scenario.hops), epoch=loop.time())
        network = self._network(LoopbackNetwork, self._ledger.epoch)
        chain = Chain(self._scenario, network, self._ledger, self._handler)
        chain.servers[0].on_exchange = self.on_exchange
        try:
            listening = await chain.start()
        except BaseException:
            await chain.close()
            raise
        names = self._scenario.parties[1:]
        for name, server in zip(names, listening, strict=True):
            host, port = server.address
            self._urls[name] = f"http://{host}:{port}"
        self._chain = chain

    def _network(self, make: type[LoopbackNetwork], epoch: float) -> LoopbackNetwork:
        links = [hop.link for hop in self._scenario.hops]
        fixed = {0: self._port}
        return make(links, self._scenario.seed, self._trace, epoch, fixed)

    def _end_thread(self) -> None:
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        self._urls = {}
        atexit.unregister(self.stop)
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    # -- while it runs -------------------------------------------------------------

    def set(self, path: str, value: object) -> None:
        """Turn a knob of the running chain, e.g. ``hop.1.server.idle_timeout``.

        Raises SettingsError for a wrong path or value, RuntimeError when stopped.
        """
        self._do(self._set(path, value))

    async def _set(self, path: str, value: object) -> None:
        assert self._chain is not None
        self._chain.set(path, value)

    def drive(self) -> None:
        """Send the scenario's own traffic through the running chain, and wait."""
        if self._chain is None:
            raise RuntimeError("the lab is not running: call start() first")
        self._do(self._chain.drive())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("the lab is not running: call start() first")
        pending = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return pending.result()
        except BaseException:
            pending.cancel()
            raise

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


def _live(loop: asyncio.AbstractEventLoop) -> None:
    """The life of the lab's thread: until stopped, then nothing stays behind."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        wind_up(loop)
        asyncio.set_event_loop(None)

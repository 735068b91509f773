"""A virtual-time event loop: when nothing is ready, the clock jumps to the next timer.

``VirtualLoop`` is an ``asyncio.BaseEventLoop`` that is its own selector. It
never waits and never looks at the machine's clock, so an hour of keep-alive
costs as long as its callbacks take. Works: tasks, futures, timers, streams,
locks, queues, timeouts, task groups, asynchronous generators, executors (run
inline: a blocking call takes no virtual time), ``create_server`` and
``create_connection`` on the network injected, ``sock_connect`` for clients that
bring their own socket. Everything else that would touch the machine raises
:class:`NotSupported`; a world in which nobody can move raises
:class:`Deadlock`. Nothing hangs.
"""

from __future__ import annotations

import _thread
import asyncio
import math
import signal
import threading
from asyncio import events, tasks
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import Context, copy_context
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Any, NoReturn, Protocol, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# So many turns of the loop without a tick of the clock is no program but a spin.
TURNS_PER_INSTANT = 1_000_000

# What asyncio.run_coroutine_threadsafe hands to the loop.
_COROUTINE = "run_coroutine_threadsafe.<locals>.callback"

# Seconds of virtual time in which cancelled tasks must have come to their end.
GOODBYE = 1e6

# Seconds after which what is to come is as good as never: four months.
FAR = 1e7

# Seconds after a Ctrl-C in which the loop must have come round.
PATIENCE = 0.3


class Deadlock(RuntimeError):
    """Tasks wait, but no timer and no message is left that could wake them."""


class HorizonPassed(RuntimeError):
    """The world lived longer than its horizon (seconds of virtual time) allows."""


class NotSupported(NotImplementedError):
    """This part of asyncio reaches for the machine, which virtual time has not."""


class VirtualNetwork(Protocol):
    """What the loop asks of a network that lives in it."""

    async def create_server(
        self, loop: VirtualLoop, factory: Any, host: Any, port: Any, **options: Any
    ) -> Any: ...

    async def create_connection(
        self, loop: VirtualLoop, factory: Any, host: Any, port: Any, **options: Any
    ) -> Any: ...

    async def sock_connect(
        self, loop: VirtualLoop, sock: Any, address: Any
    ) -> None: ...

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any: ...


class _Soon(asyncio.Handle):
    """asyncio's handle for the next turn; :meth:`VirtualLoop.call_soon` fills it.

    A run makes a dozen of them for every request, and an initializer in Python would
    cost as much as all the rest of that method.
    """

    __slots__ = ()
    __init__ = object.__init__
    _context: Context
    _loop: Any
    _callback: Any
    _repr = _source_traceback = None


class _Timer(asyncio.TimerHandle):
    """The same for a later moment, filled by :meth:`VirtualLoop.call_at`."""

    __slots__ = ()
    __init__ = object.__init__
    _context: Context
    _loop: Any
    _callback: Any
    _repr = _source_traceback = None
    _when: float
    _scheduled: bool

    def cancel(self) -> None:
        """Do not fire; let go of the callback, which may know this timer."""
        if not self._cancelled:
            self._cancelled = True
            self._callback = self._args = None  # type: ignore[assignment]
            if self._scheduled:
                self._loop._count_cancelled()


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop whose clock starts at 0 s and moves only by jumps.

    ``network`` receives ``create_server`` and ``create_connection``; without
    one they raise :class:`NotSupported`. ``horizon`` is the virtual time in
    seconds after which the loop raises :class:`HorizonPassed`. Timers with the
    same deadline fire in the order in which they were set.

    Use it as ``asyncio.Runner(loop_factory=VirtualLoop)``, or nested in another
    loop's callback through :func:`run_nested`.
    """

    def __init__(
        self, network: VirtualNetwork | None = None, horizon: float = math.inf
    ) -> None:
        super().__init__()
        self.network = network
        self.horizon = horizon
        self._now = 0.0
        self._timers: list[tuple[float, int, Any]] = []
        self._order = 0
        self._turns = TURNS_PER_INSTANT
        self._spun = 0
        self._inline = 0  # executor calls under way, one inside the other

    def __repr__(self) -> str:
        state = "running" if self.is_running() else "at rest"
        timers = sum(not timer.cancelled() for _, _, timer in self._timers)
        return f"<VirtualLoop {state} at {self._now:.6f} s, {timers} timers>"

    def set_debug(self, enabled: bool) -> None:
        """In debug mode a handle also remembers where it was made."""
        super().set_debug(enabled)
        self._debug = enabled
        self._is_plain = not (enabled or self._closed)  # type: ignore[attr-defined]

    # -- the clock -----------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: Unpack[Ts],
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run ``callback`` after ``delay`` virtual seconds (not later than asked)."""
        when = self._now + delay
        if context is None:  # a call without keywords is a cheaper one
            timer = self.call_at(when, callback, *args)
        else:
            timer = self.call_at(when, callback, *args, context=context)
        if self._debug:
            _leave_out_the_loop(timer)
        return timer

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: Unpack[Ts],
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run ``callback`` when the clock shows ``when``; equals keep their order."""
        timer: asyncio.TimerHandle
        if not self._is_plain:
            self._check_closed()  # type: ignore[attr-defined]
            timer = asyncio.TimerHandle(when, callback, args, self, context)
            _leave_out_the_loop(timer)
        else:
            at = _Timer()
            at._context = copy_context() if context is None else context
            at._loop = self
            at._callback = callback
            at._args = args
            at._cancelled = False
            at._when = when
            timer = at
        # A timer never fires in the past: a deadline that is due is due now.
        due = when if when > self._now else self._now
        self._order = order = self._order + 1
        heappush(self._timers, (due, order, timer))
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: Unpack[Ts],
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Run ``callback`` in the next turn, at the same moment."""
        handle: asyncio.Handle
        if not self._is_plain:
            self._check_closed()  # type: ignore[attr-defined]
            handle = asyncio.Handle(callback, args, self, context)
            _leave_out_the_loop(handle)
        else:
            soon = _Soon()
            soon._context = copy_context() if context is None else context
            soon._loop = self
            soon._callback = callback
            soon._args = args
            soon._cancelled = False
            handle = soon
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], **options: Any
    ) -> asyncio.Task[T]:
        """Schedule a coroutine; the plain case without asyncio's detours."""
        if not self._is_plain or self._task_factory:  # type: ignore[attr-defined]
            return super().create_task(coro, **options)
        return asyncio.Task(coro, loop=self, **options)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """What asyncio's own handles say, which are those of debug mode."""
        if handle._scheduled:  # type: ignore[attr-defined]
            self._count_cancelled()

    def _count_cancelled(self) -> None:
        """Forget cancelled timers once they are the larger part of the heap."""
        self._timer_cancelled_count: int = self._timer_cancelled_count + 1
        if self._timer_cancelled_count * 2 > len(self._timers) > 16:
            # In place: the loop that runs holds on to this list.
            self._timers[:] = [t for t in self._timers if not t[2]._cancelled]
            heapify(self._timers)
            self._timer_cancelled_count = 0

    def _run_once(self) -> None:
        """Turn after turn until the loop is stopped, or a slice of turns is over.

        asyncio asks for one turn at a time and looks at its flag in between; to
        stay in here and look at the same flag saves two calls per turn. In one
        turn runs whatever is ready now; if nothing is, the clock jumps first.
        """
        ready = self._ready  # type: ignore[attr-defined]
        next_ready = ready.popleft
        began = self._now
        for _ in range(self._turns):
            if ready:
                handle, last = None, ready[-1]
                while handle is not last:
                    handle = next_ready()
                    if handle._cancelled:
                        continue
                    args = handle._args
                    try:
                        if not args:
                            handle._context.run(handle._callback)
                        elif len(args) == 1:  # to unpack a tuple costs a list
                            handle._context.run(handle._callback, args[0])
                        else:
                            handle._context.run(handle._callback, *args)
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:
                        self._report(handle, error)
            elif self._stopping:  # type: ignore[attr-defined]
                return
            else:
                self._jump()
            if self._stopping:  # type: ignore[attr-defined]
                return
        self._take_stock(began)

    def has_only(self, kind: type) -> bool:
        """Is nothing left but timers that belong to objects of this kind?

        Such a world goes round, and nobody in it will be woken. What is due in more
        than FAR seconds counts as never, which aiohttp knows no word for.
        """
        far = self._now + FAR
        left = (t for when, _, t in self._timers if when < far and not t._cancelled)
        owners = (getattr(timer._callback, "__self__", None) for timer in left)
        waits = bool(self._ready)  # type: ignore[attr-defined]
        return not waits and all(isinstance(owner, kind) for owner in owners)

    def _take_stock(self, began: float) -> None:
        """So many turns are over: does the clock still move, and does anybody wait?"""
        self._spun = self._spun + self._turns if self._now == began else 0
        if self._spun >= TURNS_PER_INSTANT:
            raise Deadlock(self._how_it_spins())
        if self._turns < TURNS_PER_INSTANT:
            self.stop()

    def _report(self, handle: asyncio.Handle, error: BaseException) -> None:
        """A callback raised: the same words as asyncio's own loops have for it."""
        message = f"Exception in callback {handle!r}"
        context = {"message": message, "exception": error, "handle": handle}
        self.call_exception_handler(context)

    def _jump(self) -> None:
        """Jump to the next timers and run them as one turn.

        The same words as in the loop above: CPython reads an attribute fast where
        it has always met one class, and so each kind of handle has its own place.
        """
        timers = self._timers
        while True:
            if not timers:
                raise Deadlock(self._who_waits())
            now, _, timer = timers[0]
            if not timer._cancelled:
                break
            heappop(timers)
            self._timer_cancelled_count -= 1
        if now > self.horizon:
            raise HorizonPassed(
                f"the run is not over at its horizon of {self.horizon:g} s "
                "of virtual time; raise lab.horizon if it needs longer"
            )
        self._now = now
        # A timer that one of these sets for this very moment is for the next turn.
        last = self._order
        while timers:
            due, order, timer = timers[0]
            if due != now or order > last:
                return
            heappop(timers)
            if timer._cancelled:
                self._timer_cancelled_count -= 1
                continue
            timer._scheduled = False
            args = timer._args
            try:
                if not args:
                    timer._context.run(timer._callback)
                elif len(args) == 1:
                    timer._context.run(timer._callback, args[0])
                else:
                    timer._context.run(timer._callback, *args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._report(timer, error)

    def _how_it_spins(self) -> str:
        return (
            f"the world spins: {TURNS_PER_INSTANT} turns at {self._now:.6f} s "
            "and no timer fires in between; something yields in a loop"
        )

    def _who_waits(self) -> str:
        waiting = sorted(task.get_name() for task in asyncio.all_tasks(self))
        named = ", ".join(waiting[:5]) + (", ..." if len(waiting) > 5 else "")
        return (
            f"nothing can happen any more at {self._now:.6f} s of virtual time: "
            f"{len(waiting)} tasks wait ({named or 'none'}) and no timer is left"
        )

    def run_slice(self, turns: int) -> None:
        """Run for at most so many turns, then return; for callers with a loop."""
        self._turns = turns
        try:
            self.run_forever()
        finally:
            self._turns = TURNS_PER_INSTANT

    # -- the loop is its own selector ----------------------------------------------

    def _process_events(self, event_list: object) -> None:
        """Nothing to do: all that happens is a callback or a timer."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector, so nobody needs to be woken."""

    def close(self) -> None:
        """Drop all timers and close; a closed loop cannot run again."""
        self._timers.clear()
        super().close()
        self._is_plain = False

    # -- the network ---------------------------------------------------------------

    def _wire(self, what: str) -> VirtualNetwork:
        if self.network is None:
            raise NotSupported(
                f"{what} needs a network: make the loop with "
                "VirtualLoop(labkit.net.memory.MemoryNetwork())"
            )
        return self.network

    async def create_server(  # type: ignore[override]
        self, factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Listen on the network injected; ``ssl`` is refused."""
        _refuse_tls(options)
        network = self._wire("create_server")
        return await network.create_server(self, factory, host, port, **options)

    async def create_connection(  # type: ignore[override]
        self, factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Dial on the network injected; ``ssl`` is refused."""
        _refuse_tls(options)
        network = self._wire("create_connection")
        return await network.create_connection(self, factory, host, port, **options)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Dial for a client that brings a socket; the socket itself stays unused."""
        await self._wire("sock_connect").sock_connect(self, sock, address)

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Resolve as the network injected does, never by asking the machine."""
        return await self._wire("getaddrinfo").getaddrinfo(host, port, **options)

    # -- executors run inline ------------------------------------------------------

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[Unpack[Ts]], T],
        *args: Unpack[Ts],
    ) -> asyncio.Future[T]:
        """Call at once, in this thread: a blocking call takes no virtual time."""
        self._check_closed()  # type: ignore[attr-defined]
        future: asyncio.Future[T] = self.create_future()
        self._inline += 1
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        finally:
            self._inline -= 1
        return future

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: Unpack[Ts],
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Run ``callback`` in the next turn.

        NotSupported for ``run_coroutine_threadsafe`` in an executor: it runs in
        the loop's own thread, and who waits there for the loop waits for ever.
        """
        if self._inline and getattr(callback, "__qualname__", "") == _COROUTINE:
            raise NotSupported(
                "run_coroutine_threadsafe from an executor: executors run inline in "
                "virtual time, where waiting for the loop would never end"
            )
        handle = self.call_soon(callback, *args, context=context)
        if self._debug:
            _leave_out_the_loop(handle)
        return handle

    def set_default_executor(self, executor: Any) -> None:
        """Accepted and unused: executors run inline."""


def _leave_out_the_loop(handle: Any) -> None:
    """Let the traceback of a handle in debug mode end where the program called."""
    if handle._source_traceback:
        del handle._source_traceback[-1]


def _refuse_tls(options: dict[str, Any]) -> None:
    if options.get("ssl"):
        raise NotSupported("TLS is not simulated: the lab is about plain HTTP/1.1")


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(self: VirtualLoop, *args: Any, **options: Any) -> NoReturn:
        raise NotSupported(
            f"{name} reaches for the machine; a virtual-time loop has no "
            "file descriptors, signals, processes or TLS"
        )

    refuse.__name__ = name
    refuse.__doc__ = f"Refused with NotSupported: {name} reaches for the machine."
    return refuse


for _name in (
    *("add_reader", "remove_reader", "add_writer", "remove_writer"),
    *("sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into"),
    *("sock_sendall", "sock_sendto", "sock_accept", "sock_sendfile"),
    *("add_signal_handler", "remove_signal_handler"),
    *("connect_read_pipe", "connect_write_pipe"),
    *("subprocess_shell", "subprocess_exec"),
    *("create_unix_connection", "create_unix_server", "create_datagram_endpoint"),
    *("connect_accepted_socket", "start_tls", "sendfile", "getnameinfo"),
):
    setattr(VirtualLoop, _name, _refusal(_name))


# -- a loop inside a loop ----------------------------------------------------------


@contextmanager
def outside_the_loop() -> Iterator[None]:
    """Step out of the running loop and its task for a while, in the same thread.

    asyncio refuses to run a loop inside a loop because both would claim to be
    the current one. While this context lasts neither is: the outer task is left
    and the running loop unset, by the calls that asyncio keeps for those who
    implement loops; afterwards both are entered again.
    """
    outer = events._get_running_loop()
    if outer is None:
        yield
        return
    task = tasks.current_task(outer)
    if task is not None:
        tasks._leave_task(outer, task)
    events._set_running_loop(None)
    try:
        yield
    finally:
        events._set_running_loop(outer)
        if task is not None:
            tasks._enter_task(outer, task)


def run_nested(
    main: Coroutine[Any, Any, T],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = VirtualLoop,
) -> T:
    """Run ``main`` to its end on a loop of its own, also inside a running loop.

    One Ctrl-C is enough, also where ``main`` computes and never waits.
    Whatever ends it (result, exception, Ctrl-C), its tasks are cancelled and
    awaited, its generators closed and its loop closed.
    """
    with (
        _ctrl_c_as_before(),
        outside_the_loop(),
        asyncio.Runner(loop_factory=loop_factory) as runner,
    ):
        try:
            return runner.run(_insisting(main))
        finally:
            _grant_time_for_goodbye(runner.get_loop())


async def _insisting(main: Coroutine[Any, Any, T]) -> T:
    """What asyncio's Ctrl-C does, and more if the loop does not come round after it.

    Its first one only cancels the task: code that never waits would not notice.
    """
    asyncios = signal.getsignal(signal.SIGINT)
    if not isinstance(asyncios, partial):  # as asyncio's Runner has it
        return await main
    loop = asyncio.get_running_loop()

    def on_ctrl_c(number: int, frame: Any) -> None:
        asyncios(number, frame)
        _interrupt_unless_it_moves(loop)

    signal.signal(signal.SIGINT, on_ctrl_c)
    try:
        return await main
    finally:
        signal.signal(signal.SIGINT, asyncios)


@contextmanager
def _ctrl_c_as_before() -> Iterator[None]:
    """Whatever ended the run, the handler of before; Runner knows only its own."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        is_changed = signal.getsignal(signal.SIGINT) is not before
        if is_changed and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


def _interrupt_unless_it_moves(loop: asyncio.AbstractEventLoop) -> None:
    once_more = threading.Timer(PATIENCE, _thread.interrupt_main)
    once_more.daemon = True
    once_more.start()
    loop.call_soon_threadsafe(once_more.cancel)


def wind_up(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is left on a loop that has stopped, let it finish, close it."""
    _grant_time_for_goodbye(loop)
    try:
        _cancel_all(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _grant_time_for_goodbye(loop: asyncio.AbstractEventLoop) -> None:
    """Closing connections takes virtual time too, which a horizon does not count."""
    if isinstance(loop, VirtualLoop):
        loop.horizon = loop.time() + GOODBYE


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        gathered = asyncio.gather(*left, return_exceptions=True)
        loop.run_until_complete(_settled(gathered))


async def _settled(gathered: asyncio.Future[Any]) -> None:
    await gathered

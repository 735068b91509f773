"""The virtual-time loop: asyncio's own tools work, the rest is refused by name."""

import asyncio
import signal
import threading

import pytest

from labkit.clock import (
    Deadlock,
    HorizonPassed,
    NotSupported,
    VirtualLoop,
    run_nested,
    wind_up,
)


async def now() -> float:
    return asyncio.get_running_loop().time()


def test_an_hour_passes_at_once_and_to_the_microsecond() -> None:
    async def main() -> float:
        await asyncio.sleep(3600.000001)
        return await now()

    assert run_nested(main()) == 3600.000001


def test_it_serves_as_the_loop_factory_of_a_runner() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(now()) == 0.0


def test_equal_deadlines_fire_in_the_order_they_were_set() -> None:
    async def main() -> list[int]:
        loop, fired = asyncio.get_running_loop(), []
        for number in range(200):
            loop.call_at(1.0, fired.append, number)
        await asyncio.sleep(1.0)
        return fired

    assert run_nested(main()) == list(range(200))


def test_debug_mode_can_be_turned_on_and_off_while_the_loop_runs() -> None:
    async def main() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        before = loop.call_later(2.0, lambda: None)
        loop.set_debug(True)
        made_here = repr(loop.call_later(2.0, lambda: None))
        loop.set_debug(False)
        await asyncio.sleep(2.0)
        assert not before.cancelled()
        return made_here, loop.time()

    made_here, time = run_nested(main())
    assert f"created at {__file__}" in made_here and time == 2.0


def test_cancelled_timers_do_not_fire_and_do_not_move_the_clock() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        for _ in range(5000):
            loop.call_later(50.0, pytest.fail, "a cancelled timer fired").cancel()
        await asyncio.sleep(1.0)
        return await now()

    assert run_nested(main()) == 1.0


def test_locks_queues_timeouts_and_groups_work() -> None:
    async def producer(queue: asyncio.Queue[int]) -> None:
        for number in range(3):
            await asyncio.sleep(1)
            await queue.put(number)

    async def main() -> tuple[list[int], float]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(producer(queue))
            got = [await queue.get() for _ in range(3)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7):
                await asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 2)
        return got, await now()

    assert run_nested(main()) == ([0, 1, 2], 12.0)


def test_executors_run_inline_and_pass_their_exception_on() -> None:
    async def main() -> None:
        assert await asyncio.to_thread(threading.get_ident) == threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)

    run_nested(main())


def test_a_world_in_which_nobody_can_move_is_a_deadlock_that_names_them() -> None:
    async def main() -> None:
        asyncio.current_task().set_name("the one who waits")  # type: ignore[union-attr]
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="the one who waits"):
        run_nested(main())


def test_a_task_that_spins_is_a_deadlock_too(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("labkit.clock.TURNS_PER_INSTANT", 1000)

    async def main() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Deadlock, match="spins"):
        run_nested(main())


def run_slices(loop: VirtualLoop, slices: int) -> None:
    for _ in range(slices):
        loop.run_slice(40)


def test_a_task_that_spins_in_slices_is_a_deadlock_as_well(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("labkit.clock.TURNS_PER_INSTANT", 1000)
    loop, spun = VirtualLoop(), []

    async def main() -> None:
        await asyncio.sleep(1)
        while True:
            spun.append(loop.time())
            await asyncio.sleep(0)

    task = loop.create_task(main())
    with pytest.raises(Deadlock, match="1000 turns at 1"):
        run_slices(loop, 50)
    assert 1000 <= len(spun) <= 1040
    task.cancel()
    wind_up(loop)


def test_a_run_that_passes_its_horizon_is_an_error() -> None:
    async def main() -> None:
        while True:
            await asyncio.sleep(1)

    with pytest.raises(HorizonPassed, match="10 s"):
        run_nested(main(), lambda: VirtualLoop(horizon=10.0))


@pytest.mark.parametrize(
    "reach",
    [
        lambda loop: loop.add_reader(0, print),
        lambda loop: loop.add_signal_handler(signal.SIGTERM, print),
        lambda loop: loop.subprocess_exec(asyncio.SubprocessProtocol, "true"),
        lambda loop: loop.create_datagram_endpoint(asyncio.DatagramProtocol),
        lambda loop: loop.start_tls(None, None, None),
        lambda loop: loop.create_connection(asyncio.Protocol, "127.0.0.1", 1),
        lambda loop: loop.create_server(asyncio.Protocol, ssl=object()),
    ],
)
def test_what_reaches_for_the_machine_is_refused_by_name(reach) -> None:  # type: ignore[no-untyped-def]
    async def main() -> None:
        result = reach(asyncio.get_running_loop())
        if asyncio.iscoroutine(result):
            await result

    with pytest.raises(NotSupported):
        run_nested(main())


def test_it_runs_inside_a_running_loop_and_leaves_that_loop_whole() -> None:
    async def inner() -> float:
        await asyncio.sleep(1000)
        return await now()

    async def outer() -> tuple[float, object, object]:
        before = asyncio.current_task()
        elapsed = run_nested(inner())
        await asyncio.sleep(0)
        return elapsed, before, asyncio.current_task()

    elapsed, before, after = asyncio.run(outer())
    assert elapsed == 1000 and before is after


def test_nothing_is_left_after_an_exception() -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.sleep(10**6)
        finally:
            ended.append("forever")

    async def generator():  # type: ignore[no-untyped-def]
        try:
            yield 1
        finally:
            ended.append("generator")

    async def main() -> None:
        kept = asyncio.create_task(forever())
        async for _ in generator():
            await asyncio.sleep(1)
            raise KeyError(kept.get_name())

    with pytest.raises(KeyError):
        run_nested(main())
    assert sorted(ended) == ["forever", "generator"]


def test_after_a_run_ctrl_c_means_what_it_meant_before() -> None:
    async def interrupted() -> None:
        asyncio.get_running_loop().call_later(1, signal.raise_signal, signal.SIGINT)
        await asyncio.sleep(60)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_nested(interrupted())
    assert signal.getsignal(signal.SIGINT) is before

"""The ways to carry out points: one after the other here, side by side on real
sockets, over an executor, over processes of our own. Each gives batches of what was
done as they come, in any order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import closing, contextmanager

from labkit.lab import run_many
from labkit.sweep.batching import Pace
from labkit.sweep.jobs import Counts, Done, Job, work
from labkit.sweep.plan import Plan, Point
from labkit.sweep.workers import Workers

Batch = list[tuple[int, Counts]]
Batches = Iterator[Batch]

# Seconds between two looks at whether somebody wants to stop.
LOOK = 0.1


def here(plan: Plan, points: Sequence[Point]) -> Batches:
    """In this process, one after the other."""
    for point in points:
        yield _paired([point], work(Job.of(plan, (point,))))


def side_by_side(plan: Plan, points: Sequence[Point], at_once: int) -> Batches:
    """On real sockets, so many chains at a time in one loop of this process."""
    for first in range(0, len(points), at_once):
        batch = points[first : first + at_once]
        scenarios = [plan.at(point) for point in batch]
        runs = run_many(scenarios, plan.engine, at_once, False, plan.proxy)
        pairs = zip(batch, runs, strict=True)
        yield [(point.index, Counts.of(run)) for point, run in pairs]


@contextmanager
def over(
    executor: Executor, slots: int, plan: Plan, points: Sequence[Point]
) -> Iterator[Batches]:
    """Over an executor that does ``slots`` jobs at the same time.

    There is an empty batch when nothing came for a while. What is still out at the
    end is cancelled.
    """
    with closing(_spread(executor, slots, plan, points)) as batches:
        yield batches


@contextmanager
def in_processes(count: int, plan: Plan, points: Sequence[Point]) -> Iterator[Batches]:
    """Over so many processes, all of them gone at the end."""
    workers = Workers(count)
    try:
        with over(workers, count, plan, points) as batches:
            yield batches
    finally:
        workers.shutdown(cancel_futures=True)


def _spread(
    executor: Executor, slots: int, plan: Plan, points: Sequence[Point]
) -> Generator[Batch, None, None]:
    pace = Pace(slots)
    left = deque(points)
    out: dict[Future[Done], list[Point]] = {}
    try:
        while left or out:
            while left and len(out) < pace.jobs:
                some = [left.popleft() for _ in range(pace.size(len(left)))]
                out[executor.submit(work, Job.of(plan, tuple(some)))] = some
            ready, _ = wait(out, timeout=LOOK, return_when=FIRST_COMPLETED)
            yield _collected(out, ready, pace)
    finally:
        for future in out:
            future.cancel()


def _collected(
    out: dict[Future[Done], list[Point]], ready: set[Future[Done]], pace: Pace
) -> Batch:
    """Take what is ready off the list; a job that failed raises its error."""
    batch: Batch = []
    for future in ready:
        some = out.pop(future)
        done = future.result()
        pace.took(len(some), done.seconds)
        batch += _paired(some, done)
    return batch


def _paired(points: Sequence[Point], done: Done) -> Batch:
    return [(p.index, n) for p, n in zip(points, done.counts, strict=True)]

"""Dask for those who outgrow one machine: a scheduler's address becomes an executor.

The scheduler gives the jobs of a worker that is lost to another one. Every worker needs
the same labkit.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from labkit.kinds import one_line, shown
from labkit.settings import SettingsError
from labkit.sweep import ways
from labkit.sweep.plan import Plan, Point

# Seconds until a scheduler must have answered, and shown a worker.
PATIENCE = 5.0

# Seconds without a result after which we ask whether a worker is left: others may come
# in the place of those that went.
ALONE = 20.0


@contextmanager
def over_dask(
    address: str, plan: Plan, points: Sequence[Point]
) -> Iterator[ways.Batches]:
    """Over the workers of the scheduler at an address such as "tcp://host:8786".

    SettingsError if dask is missing, if nobody answers within five seconds, or if
    the scheduler has no worker; ConnectionError if one of them goes away for good.
    """
    with _connected(address) as client:
        slots = _slots(client, address)
        executor = client.get_executor(pure=False)
        with ways.over(executor, slots, plan, points) as batches:
            yield _watched(batches, client, address)


def _watched(batches: ways.Batches, client: Any, address: str) -> ways.Batches:
    """The batches, until there is nobody left who could make more."""
    heard = time.perf_counter()
    try:
        for batch in batches:
            is_long = time.perf_counter() - heard > ALONE
            if is_long and not batch:
                _check_alone(client, address)
            if is_long or batch:
                heard = time.perf_counter()
            yield batch
    except (CancelledError, TimeoutError):
        raise ConnectionError(f"the Dask scheduler at {address} went away") from None


def _check_alone(client: Any, address: str) -> None:
    if not client.nthreads():
        raise ConnectionError(
            f"the Dask scheduler at {address} has had no workers for {ALONE:g} s"
        )


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    distributed = _distributed()
    _knock(address)
    with (
        _quietly(),
        distributed.Client(address, timeout=PATIENCE, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the traces that Dask logs of a peer that goes away: we say it in one
    sentence. Its loggers have levels of their own, so each is silenced.
    """
    names = [name for name in logging.root.manager.loggerDict if "distributed" in name]
    loud = [log for log in map(logging.getLogger, names) if not log.disabled]
    for log in loud:
        log.disabled = True
    try:
        yield
    finally:
        for log in loud:
            log.disabled = False


def _knock(address: str) -> None:
    """Is a scheduler there? In a thread, for the caller may have a loop running.

    Asked before a Client is made: one whose peer accepts and says nothing, or
    something else than Dask, does not keep to its timeout.
    """
    with ThreadPoolExecutor(1) as thread:
        try:
            told = thread.submit(asyncio.run, _identity(address)).result()
        except Exception as error:  # a stranger's bytes may mean anything, also this
            raise _silent(address, f"{type(error).__name__}: {error}") from None
    if told.get("type") != "Scheduler":
        raise _silent(address, f"a {told.get('type')} does")


async def _identity(address: str) -> dict[str, Any]:
    core = importlib.import_module("distributed.core")
    async with asyncio.timeout(PATIENCE), core.rpc(address) as peer:
        told: dict[str, Any] = await peer.identity()
        return told


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError:
        raise SettingsError(
            "dask is not installed: "
            "pip install 'http-connection-lab[dask]', or take processes"
        ) from None


def _silent(address: str, reason: str) -> SettingsError:
    return SettingsError(
        f"no Dask scheduler answers at {shown(address)} within {PATIENCE:g} s "
        f"({one_line(reason, 80).rstrip(': ')})"
    )


def _slots(client: Any, address: str) -> int:
    """How many jobs its workers do at the same time."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise SettingsError(
            f"the Dask scheduler at {shown(address)} has no workers"
        ) from None
    return sum(client.nthreads().values())

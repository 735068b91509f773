"""Dask for those who outgrow one machine: a scheduler's address becomes an executor.

The scheduler gives the jobs of a worker that is lost to another one. Every worker needs
the same labkit.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from labkit.kinds import one_line, shown
from labkit.settings import SettingsError
from labkit.sweep import ways
from labkit.sweep.plan import Plan, Point

# Seconds until a scheduler must have answered, and shown a worker.
PATIENCE = 5.0

# How often a job may take its worker along before it is given up.
LOSSES = 3


@contextmanager
def over_dask(
    address: str, plan: Plan, points: Sequence[Point]
) -> Iterator[ways.Batches]:
    """Over the workers of the scheduler at an address such as "tcp://host:8786".

    SettingsError if dask is missing, if nobody answers within five seconds, or if
    the scheduler has no worker.
    """
    with _connected(address) as client:
        slots = _slots(client, address)
        executor = client.get_executor(pure=False, retries=LOSSES)
        with ways.over(executor, slots, plan, points) as batches:
            yield batches


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    distributed = _distributed()
    _knock(address)
    with distributed.Client(address, timeout=PATIENCE, set_as_default=False) as client:
        yield client


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
            "dask is not installed: pip install 'labkit[dask]', or take processes"
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

"""Traffic: requests in their time, outcomes booked, nothing left when called off."""

import asyncio
import random
from typing import Any

import pytest

from labkit.records.ledger import Ledger
from labkit.roles.traffic import Traffic
from labkit.settings import Traffic as TrafficSettings
from tests.scripted import OK, Peer, World, run

HALF = OK[:-1]


def traffic(world: World, **knobs: Any) -> Traffic:
    settings = TrafficSettings(**knobs)
    return Traffic(settings, world.router, world.ledger, random.Random(1), "502")


def sent(world: World) -> list[float]:
    return [round(each.sent, 6) for each in world.ledger.exchanges]


def test_arrivals_come_by_the_clock_whether_or_not_the_last_one_is_answered() -> None:
    async def story(world: World) -> None:
        await traffic(world, arrivals="periodic", rate=10.0, requests=4).run()
        assert sent(world) == [0.0, 0.1, 0.2, 0.3]
        assert [each.done for each in world.ledger.exchanges] == pytest.approx(
            [0.25, 0.35, 0.45, 0.55]
        )

    run(story, lambda peer, data: peer.later(0.25, peer.say, OK))


def test_a_gap_runs_from_the_last_outcome_of_a_burst() -> None:
    def slower_and_slower(peer: Peer, data: bytes) -> None:
        peer.later(0.1 * peer.number, peer.say, OK)

    async def story(world: World) -> None:
        knobs = {"arrivals": "gaps", "gaps": (1.0,), "requests": 5, "burst": 2}
        await traffic(world, **knobs).run()
        assert sent(world) == [0.0, 0.0, 1.2, 1.2, 2.4]

    run(story, slower_and_slower, reuse="fifo")


def test_a_response_counts_when_its_last_byte_is_here() -> None:
    def in_halves(peer: Peer, data: bytes) -> None:
        peer.say(HALF)
        peer.later(0.5, peer.say, OK[-1:])

    async def story(world: World) -> None:
        await traffic(world, requests=1).run()
        (only,) = world.ledger.exchanges
        assert (only.status, only.done, only.failed) == (200, 0.5, False)

    run(story, in_halves)


def test_a_body_that_breaks_off_is_no_answer() -> None:
    async def story(world: World) -> None:
        await traffic(world, requests=1).run()
        (only,) = world.ledger.exchanges
        assert (only.status, only.failed, only.error) == (200, True, "ProtocolError")

    run(story, lambda peer, data: peer.say(HALF, peer.fin))


def test_a_hop_that_fails_is_answered_by_its_owner() -> None:
    async def story(world: World) -> None:
        await traffic(world, arrivals="gaps", gaps=(0.0,), requests=3).run()
        told = [(each.status, each.error) for each in world.ledger.exchanges]
        assert told == [(502, "ConnectRefused")] * 3

    run(story, answer="refuse")


def test_a_request_that_is_not_http_ends_the_run_with_a_sentence() -> None:
    async def story(world: World) -> None:
        source = traffic(world, requests=3)
        object.__setattr__(source.settings, "headers", {"Host": "two"})
        with pytest.raises(ValueError, match=r"cannot send GET: .*Host"):
            await source.run()

    run(story)


def test_a_book_that_cannot_be_written_ends_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(ledger: Ledger, number: int, now: float, status: int | None) -> None:
        raise OSError("the book is full")

    monkeypatch.setattr(Ledger, "finish", full)

    async def story(world: World) -> None:
        with pytest.raises(OSError, match="the book is full"):
            await traffic(world, requests=3).run()

    run(story)


@pytest.mark.parametrize("answer", [b"", HALF], ids=["unanswered", "half answered"])
def test_traffic_that_is_called_off_leaves_no_request_under_way(answer: bytes) -> None:
    async def story(world: World) -> None:
        under_way = asyncio.create_task(
            traffic(world, arrivals="periodic", rate=10.0, requests=50).run()
        )
        await asyncio.sleep(0.45)
        assert len(world.ledger.exchanges) == 5
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
        await asyncio.sleep(10)
        assert len(world.ledger.exchanges) == 5
        assert [peer.heard[-5:] for peer in world.peers] == [b"<FIN>"] * 5

    run(story, lambda peer, data: peer.say(answer) if answer else None)

"""How a connection dies: its plays, the same on both networks, and its panel."""

from __future__ import annotations

import pytest

import labkit
from labkit.clock import Deadlock
from labkit.lessons import teardown
from labkit.lessons.teardown import refuses, writes_on
from labkit.lessons.teardown.peer import Peer
from labkit.lessons.teardown.two_programs import agree, perform
from labkit.records.tcp_states import CLIENT, SERVER, Tcp
from labkit.records.teardown import Teardown
from labkit.records.trace import Direction, Kind
from tests.lessons.programs import (
    does,
    lingers,
    says_nothing,
)

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM


# -- the plays -----------------------------------------------------------------------


@pytest.mark.live
@pytest.mark.parametrize("name", teardown.PLAYS)
def test_a_play_tells_the_same_story_in_memory_and_on_sockets(name: str) -> None:
    virtual, live = teardown.play(name), teardown.play(name, "live")
    assert agree(virtual, live) == "the same"
    ends = [{s: b[-1].state for s, b in t.bands().items()} for t in (virtual, live)]
    assert ends[0] == ends[1]


@pytest.mark.live
def test_the_413_is_lost_and_saved_on_real_sockets_too() -> None:
    """Forty pieces: the client still writes when a slow machine brings the RST."""
    for server, saved in ((refuses, False), (lingers, True)):
        told = teardown.upload(writes_on, server, 40, engine="live")
        assert (teardown.TOO_LARGE in told.heard[0]) is saved, told


@pytest.mark.parametrize(
    ("name", "client", "server", "last"),
    [
        ("close", Tcp.CLOSED, Tcp.TIME_WAIT, "reads the end"),
        ("half-close", Tcp.TIME_WAIT, Tcp.CLOSED, "reads the end"),
        ("both at once", Tcp.TIME_WAIT, Tcp.TIME_WAIT, "reads 200"),
        ("late write", Tcp.CLOSED, Tcp.CLOSED, "write: broken pipe"),
        ("unread request", Tcp.CLOSED, Tcp.CLOSED, "read: connection reset"),
        ("unread second", Tcp.CLOSED, Tcp.CLOSED, "read: connection reset"),
        ("reset", Tcp.CLOSED, Tcp.CLOSED, "read: connection reset"),
    ],
)
def test_each_play_ends_as_the_notebook_says(
    name: str, client: Tcp, server: Tcp, last: str
) -> None:
    told = teardown.play(name)
    ends = told.bands()
    assert (ends[CLIENT][-1].state, ends[SERVER][-1].state) == (client, server)
    assert told.last_words(CLIENT) == last


@pytest.mark.parametrize("delay", [0.001, 0.01, 0.049])
def test_the_second_late_write_is_the_one_that_fails(delay: float) -> None:
    assert teardown.failing_write(teardown.play("late write", delay=delay)) == 2


def test_over_a_longer_wire_a_third_write_still_succeeds() -> None:
    """100 ms between the writes; the news of the first takes a round trip."""
    assert teardown.failing_write(teardown.play("late write", delay=0.06)) == 3


def test_a_half_closed_client_reads_its_whole_answer() -> None:
    assert teardown.play("half-close").heard[0] == teardown.ANSWER


def test_what_was_delivered_before_a_reset_was_read() -> None:
    assert teardown.play("unread second").heard[0] == teardown.ANSWER


# -- the peers -----------------------------------------------------------------------


def test_a_program_that_exits_leaves_the_closing_to_its_kernel() -> None:
    says_hello = does(b"hello", ("wait", 0.1))
    told = perform(says_hello, teardown.hears_the_end_and_answers)
    assert "exits" in told.told(CLIENT)
    assert any((e.kind, e.direction) == (Kind.FIN, UP) for e in told.trace)


def test_ready_sees_data_the_end_and_an_error_but_not_silence() -> None:
    seen: list[bool] = []

    async def looks(me: Peer) -> None:
        seen.append(await me.ready(0.05))
        await me.write(teardown.REQUEST)
        seen.append(await me.ready(1.0))
        assert await me.read() == teardown.ANSWER
        seen.append(await me.ready(1.0))
        assert await me.read() == b""

    perform(looks, teardown.answers_and_closes)
    assert seen == [False, True, True]


def test_data_that_ready_has_seen_and_nobody_read_still_resets() -> None:
    looks_away = does(("ready", 1.0), "close")
    told = perform(teardown.asks_and_listens, looks_away)
    assert told.last_words(CLIENT) == "read: connection reset"


def test_a_write_waits_while_the_kernel_is_full() -> None:
    size = 2_000_000

    async def floods(me: Peer) -> None:
        await me.write(bytes(size))
        await me.write(b"the end")
        assert me.now > 0.5

    async def reads_late(me: Peer) -> None:
        await me.wait(0.5)
        while await me.read():
            pass

    assert len(perform(floods, reads_late).heard[1]) == size + 7


def test_two_that_wait_for_each_other_are_a_deadlock() -> None:
    with pytest.raises(Deadlock):
        perform(says_nothing, says_nothing)


def test_another_engine_is_refused() -> None:
    with pytest.raises(ValueError, match='engine is "model"; allowed'):
        perform(does(), does(), engine="model")


def test_a_bug_in_a_program_is_not_swallowed() -> None:
    async def broken(me: Peer) -> None:
        raise KeyError("broken")

    with pytest.raises(KeyError):
        perform(broken, teardown.never_reads)


# -- the panel -----------------------------------------------------------------------


def panel(**changes: float) -> Teardown:
    paths = {f"hop.0.server.{name}": value for name, value in changes.items()}
    scenario = teardown.last_request().replace_all(paths)
    return teardown.told_by(labkit.run(scenario, progress=False, trace=True))


def test_the_presets_are_what_they_are_called() -> None:
    def kinds(preset: str) -> list[Kind]:
        scenario = teardown.last_request().replace_all(teardown.PRESETS[preset])
        run = labkit.run(scenario, progress=False, trace=True)
        trace = teardown.told_by(run).trace
        return [e.kind for e in trace if e.direction is DOWN][1:]

    assert kinds("served") == [Kind.DATA, Kind.DATA]
    assert kinds("against the FIN") == [Kind.DATA, Kind.FIN, Kind.RST]
    assert kinds("long gone") == [Kind.DATA, Kind.FIN]


def test_a_request_to_a_deaf_server_ends_in_a_reset_a_whole_timer_later() -> None:
    told = panel()
    assert told.failures[0].words == "request 2: no answer"
    (reset,) = (e for e in told.trace if e.kind is Kind.RST)
    assert reset.sent == pytest.approx(0.06 + 2.0 + 1.0)


def test_a_run_that_fails_is_told_with_its_timer() -> None:
    assert panel().told(SERVER) == ["stops reading", "closes"]
    at_once = panel(idle_timeout=2.29, delayed_close_timeout=0.0)
    assert at_once.told(SERVER) == ["closes: idle timeout"]
    assert "request 2: reconnects" in panel(idle_timeout=1.0).told(CLIENT)

"""Exercise 2 of how a connection dies: a reset that nobody asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from labkit.clock import Deadlock, HorizonPassed
from labkit.lessons.answers import Refused
from labkit.lessons.teardown.peer import Peer
from labkit.lessons.teardown.plays import REQUEST
from labkit.lessons.teardown.programs import Watched, require
from labkit.lessons.teardown.two_programs import perform, span
from labkit.lessons.verdict import Verdict, check
from labkit.records.tcp_states import CLIENT, SERVER
from labkit.records.teardown import Teardown


async def asks_and_waits(me: Peer) -> None:
    """The client of the exercise."""
    await me.write(REQUEST)
    await me.wait(0.5)
    while await me.read():
        pass


@check
def check_reset(server: Callable[..., Any]) -> Verdict:
    """Is the client's read told "connection reset", though nobody called reset()?

    A server that raises has died: its kernel closes its socket.
    """
    require(server, "server", "me")
    for delay in (0.002, 0.02, 0.06):
        _require_reset(Watched(server, "server"), delay)
    return Verdict(True, "The client's read says connection reset on all three wires.")


def _require_reset(server: Watched, delay: float) -> None:
    where = f"With {span(delay)} each way"
    told = None
    with suppress(Deadlock, HorizonPassed):
        told = perform(asks_and_waits, server, delay=delay)
    mute = server.unawaited()
    if told is None:
        raise Refused(f"{where} the play never ends.", mute or _STAYS)
    if "resets" in told.told(SERVER):
        raise Refused(
            "The server called me.reset(): the exercise is to do without.",
            "A kernel sends RST of its own accord when a socket is closed over bytes "
            "that its program has not read.",
        )
    if "read: connection reset" not in told.told(CLIENT):
        said = f"{where} the client was told: {told.last_words(CLIENT)}."
        raise Refused(f"{said} {server.ended()}".strip(), mute or _no_reset(told))


_STAYS = "The server waits for something that never comes, and its socket stays open."


def _no_reset(told: Teardown) -> str:
    """Why the client's read did not say "connection reset"."""
    heard, closed = len(told.heard[1]), told.told(SERVER)[-1]
    if "shuts its half" in told.told(SERVER):
        return (
            "Your server said FIN first (it shut its half, as me.linger does too): "
            "after a FIN a read says the end, whatever comes then."
        )
    if heard < len(REQUEST):
        return (
            f"At the close the server had read {heard} bytes and nothing else had "
            "arrived yet. Let the request arrive first."
        )
    return (
        f"Your server had read all {heard} bytes before its socket was closed "
        f"({closed}), so its kernel sent a FIN. What would it have to leave behind?"
    )

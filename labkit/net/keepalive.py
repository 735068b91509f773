"""Probes of an idle connection, as a kernel sends them for a program that asked.

The rules are those of Linux's keep-alive timer, tried with real sockets: the first
probe leaves when nothing has been heard for ``time`` seconds, further ones at every
``interval``; an answer, or anything else that is heard, begins anew. After ``probes``
of them without an answer the connection is reset, and its program is told ETIMEDOUT.
Where there is a TCP_USER_TIMEOUT, that decides instead of the number. While data waits
to be acknowledged no probe is sent.
"""

from __future__ import annotations

import math

from labkit.net.ends import FIN_TIMEOUT, End, Keepalive
from labkit.net.link import HalfConnection, Sender
from labkit.records.trace import Kind


class Prober:
    """The keep-alive timer of one end of a connection.

    ``out`` is the half on which it sends, ``back`` the other one; ``kernel`` is the
    end itself, ``out.sender``.
    """

    def __init__(
        self, end: End, out: HalfConnection, back: HalfConnection, kernel: Sender
    ) -> None:
        assert end.keepalive is not None
        self._asked: Keepalive = end.keepalive
        self._user_timeout = end.user_timeout
        self._out, self._back = out, back
        self._kernel = kernel
        self._link = out.link
        self._loop = self._link.loop
        self._answered = self._loop.time()
        self._unanswered = 0
        self._loop.call_at(self._answered + self._asked.time, self._ring)

    def _heard(self, now: float) -> float:
        """When the other side was last heard of; acknowledgements count."""
        acknowledged = self._out.last_arrival + self._link.settings.delay
        return max(self._answered, self._back.last_arrival, acknowledged)

    def _ring(self) -> None:
        if self._kernel.is_gone:
            return
        now = self._loop.time()
        heard, wait = self._heard(now), self._asked.time
        if self._out.is_unacknowledged:
            due = now + wait
        elif now < heard + wait:
            self._unanswered = 0
            due = heard + wait
        elif self._is_dead(now - heard):
            self._out.send(Kind.RST)
            self._out.give_up("keep-alive unanswered")
            return
        else:
            self._unanswered += 1
            self._out.probe(self._arrives)
            due = now + self._asked.interval
        self._loop.call_at(due, self._ring)

    def _is_dead(self, silence: float) -> bool:
        if self._user_timeout < math.inf:
            return self._unanswered > 0 and silence >= self._user_timeout
        return self._unanswered >= self._asked.probes

    def _arrives(self) -> None:
        """The far kernel answers; one that has forgotten the connection resets it."""
        far = self._back.sender
        closed = self._back.last_arrival - self._link.settings.delay
        if far is None or (far.is_gone and self._loop.time() > closed + FIN_TIMEOUT):
            self._back.send(Kind.RST)
        else:
            self._back.probe(self._is_answered)

    def _is_answered(self) -> None:
        self._answered = self._loop.time()
        self._unanswered = 0


def watch_silence(out: HalfConnection, back: HalfConnection) -> None:
    """Start the probes of the end that sends on ``out``, if it asked for them."""
    end, kernel = out.link.end(out.direction), out.sender
    if end.keepalive is not None and kernel is not None:
        Prober(end, out, back, kernel)

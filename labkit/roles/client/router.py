"""One request over one hop, with as many tries as its retry policy allows."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Protocol

from labkit.records.ledger import Ledger
from labkit.roles.client.balancer import Balancer
from labkit.roles.client.connection import Http1Connection
from labkit.roles.client.pool import ConnectionPool
from labkit.roles.client.retry import (
    backoff,
    covers_failure,
    covers_status,
    habitual_wait,
)
from labkit.roles.client.upload import Upload
from labkit.roles.http.message import Cause, HopFailure, Incoming, Outgoing
from labkit.settings import Pool
from labkit.settings.personalities import Habit

_CUT: frozenset[Cause] = frozenset({"ServerDisconnected", "ConnectionReset"})


class Router:
    """Sends requests over one pool. ``random`` is for the back-off only.

    ``habit``: what the pool's owner does about a failure where no policy is written.
    """

    def __init__(
        self,
        pool: ConnectionPool | Balancer,
        ledger: Ledger,
        random: random.Random,
        habit: Habit | None = None,
    ) -> None:
        self.pool = pool
        self.state = pool.state
        self.habit = habit
        self.hop = pool.hop
        self.ledger = ledger
        self.random = random
        self.retrying = 0

    def __repr__(self) -> str:
        return f"<Router of hop {self.hop}, {self.retrying} retries under way>"

    @property
    def settings(self) -> Pool:
        """The knobs of the pool."""
        return self.state.settings

    async def send(self, request: Outgoing) -> Incoming:
        """Send a request and wait for the head of its response.

        HopFailure when the hop gives up, with Envoy's flags, details, status and
        body; ValueError for a request that is not HTTP; whatever the iterator of
        the body raises. Cancelling it closes the connection in use.
        """
        outcome: asyncio.Future[Incoming] = asyncio.get_running_loop().create_future()
        sent = self.dispatch(request, outcome)
        try:
            return await outcome
        except asyncio.CancelledError:
            sent.cancel()
            raise

    def dispatch(self, request: Outgoing, outcome: RequestOutcome) -> UpstreamRequest:
        """Send a request for who does not wait; ``outcome`` is told, perhaps at once.

        Whoever loses interest cancels what is returned.
        """
        sent = UpstreamRequest(self, request, outcome)
        sent.start()
        return sent


class Sender(Protocol):
    """Whoever sends requests over a hop: a Router, or several side by side."""

    hop: int

    @property
    def settings(self) -> Pool:
        """The knobs of the pool."""

    async def send(self, request: Outgoing) -> Incoming:
        """Send a request and wait for the head of its response."""

    def dispatch(self, request: Outgoing, outcome: RequestOutcome) -> UpstreamRequest:
        """Send a request for who does not wait."""


class RequestOutcome(Protocol):
    """Who is told what became of a request: a future, or what behaves like one."""

    def done(self) -> bool:
        """Has it been told, or does it not want to know?"""

    def set_result(self, incoming: Incoming, /) -> None:
        """The head of the response has arrived."""

    def set_exception(self, error: BaseException, /) -> None:
        """There will be no response."""


class UpstreamRequest:
    """A request on its way: no task, callbacks from pool and connection."""

    __slots__ = (
        "_connection",
        "_deadline",
        "_holds_retry",
        "_incoming",
        "_loop",
        "_reused",
        "_router",
        "_try_timer",
        "_upload",
        "outcome",
        "request",
        "tries",
    )

    def __init__(
        self, router: Router, request: Outgoing, outcome: RequestOutcome
    ) -> None:
        self.request = request
        self.outcome = outcome
        self.tries = 1
        self._router = router
        self._loop = asyncio.get_running_loop()
        self._connection: Http1Connection | None = None
        self._reused = False
        self._incoming: Incoming | None = None
        self._holds_retry = False
        self._deadline: asyncio.TimerHandle | None = None
        # A try's limit of time while there is one, the back-off between two.
        self._try_timer: asyncio.TimerHandle | None = None
        self._upload = self._make_upload()

    def _make_upload(self) -> Upload | None:
        body = self.request.body
        if body is None or isinstance(body, bytes):
            return None
        limit = self._router.settings.retry.buffer_limit
        return Upload(body, limit, self._source_failed, self._uploaded)

    def __repr__(self) -> str:
        request = self.request
        return f"<UpstreamRequest {request.number}: {request.method}, try {self.tries}>"

    @property
    def number(self) -> int:
        """Its row in the ledger."""
        return self.request.number

    def start(self) -> None:
        """Ask the pool for a connection."""
        if self._upload is None or self._upload.is_complete:
            self._arm()
        self._router.pool.submit(self)

    # -- what the pool says ----------------------------------------------------

    def begin(self, connection: Http1Connection) -> None:
        """Here is a connection: send."""
        router = self._router
        self._connection = connection
        self._reused = connection.served > 0
        number = self.request.number
        router.ledger.attempt(number, router.hop, connection.number, self._reused)
        try:
            connection.ask(self.request, self, self._upload)
        except ValueError as error:
            self._connection = None
            connection.give_back()
            self._end_with(error)
            return
        self._arm_try()

    def fail(self, failure: HopFailure) -> None:
        """There is no connection to be had."""
        self._try_failed(failure)

    # -- what the connection says ----------------------------------------------

    def on_response(self, incoming: Incoming) -> bool:
        """The head is here: it is the answer, unless its status asks for more.

        Nobody reads the body of an answer that is not wanted, be it here or not.
        """
        self._end_try()
        incoming.attempts = self.tries
        if incoming.status >= 400 and self._is_to_retry(incoming):
            self._connection = None
            policy = self._router.settings.retry
            self._try_again(backoff(policy, self.tries, self._router.random))
            return incoming.complete == b""
        if not self.outcome.done():
            self._incoming = incoming
            self.outcome.set_result(incoming)
        return True

    def on_end(self, error: BaseException | None) -> None:
        """The exchange is over; an error after the head is no matter for a retry."""
        if self._connection is None:
            return
        self._connection = None
        if isinstance(error, HopFailure):
            self._failed(error)
        else:
            self._settle()

    # -- retries ---------------------------------------------------------------

    def _failed(self, failure: HopFailure) -> None:
        if self._incoming is None:
            self._try_failed(failure)
        else:
            self._give_up(failure)
            self._settle()

    def _try_failed(self, failure: HopFailure) -> None:
        router = self._router
        self._end_try()
        failure.attempts = self.tries
        if failure.cause in _CUT and not failure.interim:
            router.ledger.race(self.request.number, router.hop)
            failure.lost = self._reused and not failure.started
        self._reused = False
        if self._is_replayable():
            wait = self._wait_before_another(failure)
            if wait is not None:
                self._try_again(wait)
                return
        self._give_up(failure)
        self._end_with(failure)

    def _wait_before_another(self, failure: HopFailure) -> float | None:
        """Seconds until the next try, of habit or of policy; None for no more tries."""
        router, method = self._router, self.request.method
        pool = router.settings
        if router.habit is not None:
            wait = habitual_wait(router.habit, pool, failure, method)
            if wait is not None:
                return wait
        if pool.retry.reused_only and not failure.lost:
            return None
        if covers_failure(pool.retry, failure, method):
            failure.also = self._why_no_retry()
            if not failure.also:
                return backoff(pool.retry, self.tries, router.random)
        return None

    def _give_up(self, failure: HopFailure) -> None:
        router = self._router
        router.ledger.give_up(self.request.number, router.hop, failure.cause)

    def _is_to_retry(self, incoming: Incoming) -> bool:
        """Does the status of this response ask for a retry, and is there one?"""
        policy = self._router.settings.retry
        covered = covers_status(policy, incoming.status, self.request.method)
        if policy.reused_only or not (covered and self._is_replayable()):
            return False
        incoming.flags = self._why_no_retry()
        return not incoming.flags

    def _is_replayable(self) -> bool:
        """Is the body small enough to have been kept?"""
        if self._upload is not None:
            return self._upload.is_replayable
        body, limit = self.request.body, self._router.settings.retry.buffer_limit
        return not isinstance(body, bytes) or len(body) <= limit

    def _why_no_retry(self) -> str:
        """The flag of the budget that is used up, or nothing."""
        policy = self._router.settings.retry
        if self.tries > policy.num_retries:
            return "URX"
        return "UO" if self._router.retrying >= policy.max_retries else ""

    def _try_again(self, wait: float) -> None:
        router = self._router
        router.retrying += 1
        self._holds_retry = True
        router.ledger.retry(self.request.number, router.hop)
        self.tries += 1
        if self.request.renew is not None:
            self.request.renew(self.request, self._time_for_a_try(wait))
        self._try_timer = self._loop.call_later(wait, router.pool.submit, self)

    def _time_for_a_try(self, wait: float) -> float:
        """How long, in seconds, the next one may take that begins after a wait."""
        settings, left = self._router.settings, self._router.settings.timeout
        if self._deadline is not None:
            left = self._deadline.when() - self._loop.time() - wait
        return min(settings.per_try_timeout, left)

    # -- limits of time --------------------------------------------------------

    def _arm(self) -> None:
        """The clocks run from the end of the request, as Envoy's do."""
        timeout = self._router.state.settings.timeout
        if timeout < math.inf:
            self._deadline = self._loop.call_later(timeout, self._time_is_up)

    def _uploaded(self) -> None:
        self._arm()
        if self._connection is not None:
            self._arm_try()

    def _arm_try(self) -> None:
        limit = self._router.state.settings.per_try_timeout
        if limit == math.inf or self._incoming is not None:
            return
        if self._upload is None or self._upload.is_complete:
            self._try_timer = self._loop.call_later(limit, self._try_is_up)

    def _time_is_up(self) -> None:
        """All tries together took too long, the response included."""
        self._deadline = None
        self._stop(HopFailure("Timeout", started=self._incoming is not None))

    def _try_is_up(self) -> None:
        self._try_timer = None
        self._stop(HopFailure("Timeout", per_try=True))

    def _stop(self, failure: HopFailure) -> None:
        """Break off whatever is going on: an exchange, a queue, a back-off."""
        connection = self._cut("timeout", failure)
        self._failed(failure)
        self._give_back(connection)

    def _cut(self, why: str, error: Exception | None = None) -> Http1Connection | None:
        """End the connection in use, if there is one, or the wait for one."""
        connection, self._connection = self._connection, None
        if connection is None:
            self._router.pool.withdraw(self)
        else:
            connection.abort(why, error)
        return connection

    def _give_back(self, connection: Http1Connection | None) -> None:
        """Now others may be served in its place."""
        if connection is not None:
            connection.give_back()

    # -- the end ---------------------------------------------------------------

    def cancel(self) -> None:
        """Nobody waits any more."""
        connection = self._cut("abandoned")
        self._end_try()
        self._settle()
        self._give_back(connection)

    def _source_failed(self, error: Exception) -> None:
        connection = self._cut("the request's body failed", error)
        self._end_try()
        self._end_with(error)
        self._give_back(connection)

    def _end_with(self, error: BaseException) -> None:
        self._settle()
        if not self.outcome.done():
            self.outcome.set_exception(error)

    def _end_try(self) -> None:
        if self._holds_retry:
            self._holds_retry = False
            self._router.retrying -= 1
        if self._try_timer is not None:
            self._try_timer.cancel()
            self._try_timer = None

    def _settle(self) -> None:
        """Leave nothing behind: no timer, no task."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._upload is not None:
            self._upload.stop()

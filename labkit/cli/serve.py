"""``labkit serve``: the live chain left running for other people's clients."""

from __future__ import annotations

import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from labkit.cli.printing import Printer, leave_unread
from labkit.cli.scenario import read
from labkit.settings import SettingsError

if TYPE_CHECKING:
    from labkit.lab import Lab


# "json" has the names of Envoy's access log.
LOG_FORMATS = ("text", "json")


def serve(arguments: Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM, then print the sums."""
    from labkit.lab import Lab

    if not 0 <= arguments.port <= 65535:
        raise SettingsError(f"--port {arguments.port}; allowed: 0 to 65535")
    if arguments.log_format not in LOG_FORMATS:
        allowed = ", ".join(LOG_FORMATS)
        raise SettingsError(
            f"--log-format {arguments.log_format!r}; allowed: {allowed}"
        )
    ended = threading.Event()
    troubles: list[Exception] = []

    def end_with(trouble: Exception) -> None:
        troubles.append(trouble)
        ended.set()

    lab = Lab(read(arguments), port=arguments.port, proxy=arguments.proxy)
    lab.on_trouble = end_with
    printer = Printer(sys.stdout, on_gone=end_with)
    if arguments.log_format == "json":
        lab.on_access = lambda line: printer.say(line.to_json())
    else:
        lab.on_exchange = lambda number: printer.say(_line(lab, number))
    with _signals(ended), lab:
        for name, url in lab.urls.items():
            printer.say(f"{name}: {url}")
        print(_GREETING, file=sys.stderr, flush=True)
        ended.wait()
        if troubles:
            raise troubles[0]
    # What came in while the lab ended has been said by now, and is in the sums.
    last = _dropped(printer.dropped), _sums(lab)
    if not printer.end(*filter(None, last)):
        # Ctrl-C ends it, read or unread.
        leave_unread(0)
    return 0


_GREETING = "one line per request follows; Ctrl-C ends"


@contextmanager
def _signals(ended: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the lab; afterwards they mean what they meant before."""
    before = [
        (which, signal.signal(which, lambda *_: ended.set()))
        for which in (signal.SIGINT, signal.SIGTERM)
    ]
    try:
        yield
    finally:
        for which, handler in before:
            signal.signal(which, handler)


def _dropped(lines: int) -> str:
    if not lines:
        return ""
    return f"{lines} lines were not printed: nobody read them fast enough"


def _line(lab: Lab, number: int) -> str:
    """One access-log line: time, method, status, flags, details, attempts, ms."""
    one = lab.exchanges[number]
    took = "-" if one.done is None else f"{(one.done - one.sent) * 1000:.1f}ms"
    status = "-" if one.status is None else one.status
    return (
        f"[{one.sent:.3f}s] #{one.number} {one.method} {status} {one.flags} "
        f"{one.details} attempts={one.attempts} {took}"
    )


def _sums(lab: Lab) -> str:
    ledger = lab.ledger
    return (
        f"{len(ledger.exchanges)} requests, {ledger.failed} failed; "
        f"answers {dict(ledger.statuses())}, causes {dict(ledger.errors())}, "
        f"flags {dict(ledger.flags())}"
    )

"""``labkit serve``: the live chain left running for other people's clients."""

from __future__ import annotations

import signal
import sys
import threading
from argparse import Namespace
from typing import TYPE_CHECKING

from labkit.cli.scenario import read
from labkit.settings import SettingsError

if TYPE_CHECKING:
    from labkit.field import FieldError
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
    lab = Lab(read(arguments), port=arguments.port, proxy=arguments.proxy)
    if arguments.log_format == "json":
        lab.on_access = lambda line: print(line.to_json(), flush=True)
    else:
        lab.on_exchange = lambda number: _log(lab, number)
    troubles: list[FieldError] = []

    def broken_down(trouble: FieldError) -> None:
        troubles.append(trouble)
        ended.set()

    lab.on_trouble = broken_down
    before = [
        (which, signal.signal(which, lambda *_: ended.set()))
        for which in (signal.SIGINT, signal.SIGTERM)
    ]
    try:
        with lab:
            _greet(lab)
            ended.wait()
            if troubles:
                raise troubles[0]
            print(_sums(lab), flush=True)
    finally:
        for which, handler in before:
            signal.signal(which, handler)
    return 0


def _greet(lab: Lab) -> None:
    for name, url in lab.urls.items():
        print(f"{name}: {url}", flush=True)
    print("one line per request follows; Ctrl-C ends", file=sys.stderr, flush=True)


def _log(lab: Lab, number: int) -> None:
    """One access-log line: time, method, status, flags, details, attempts, ms."""
    one = lab.exchanges[number]
    took = "-" if one.done is None else f"{(one.done - one.sent) * 1000:.1f}ms"
    status = "-" if one.status is None else one.status
    print(
        f"[{one.sent:.3f}s] #{one.number} {one.method} {status} {one.flags} "
        f"{one.details} attempts={one.attempts} {took}",
        flush=True,
    )


def _sums(lab: Lab) -> str:
    ledger = lab.ledger
    return (
        f"{len(ledger.exchanges)} requests, {ledger.failed} failed; "
        f"answers {dict(ledger.statuses())}, causes {dict(ledger.errors())}, "
        f"flags {dict(ledger.flags())}"
    )

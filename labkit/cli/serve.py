"""``labkit serve``: the live chain left running for other people's clients."""

from __future__ import annotations

import itertools
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labkit.cli.printing import Printer, leave_unread
from labkit.cli.scenario import read
from labkit.settings import SettingsError

if TYPE_CHECKING:
    from labkit.lab import Lab
    from labkit.roles.server.access_log import Access


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

    scenario = read(arguments)
    lab = Lab(scenario, arguments.port, proxy=arguments.proxy, keeps_trace=False)
    lab.calendar = datetime.now(UTC).timestamp()
    lab.on_trouble = end_with
    printer = Printer(sys.stdout, on_gone=end_with)
    numbers = itertools.count()
    if arguments.log_format == "json":
        lab.on_access = lambda line: printer.say(line.to_json())
    else:
        lab.on_access = lambda line: printer.say(_line(next(numbers), line))
    with _signals(ended), lab:
        for name, url in lab.urls.items():
            printer.say(f"{name}: {url}")
        print(_GREETING, file=sys.stderr, flush=True)
        is_full = _waited(ended, lab)
        if troubles:
            raise troubles[0]
    # What came in while the lab ended has been said by now, and is in the sums.
    last = _dropped(printer.dropped), _full(is_full), _sums(lab)
    if not printer.end(*filter(None, last)):
        # Ctrl-C ends it, read or unread.
        leave_unread(0)
    return 0


# A row of about 60 bytes is kept of every request; beside a real proxy also what
# crossed the links, up to 2 kB.
MOST = 10_000_000
MOST_BESIDE_A_REAL_ONE = 1_000_000


def _waited(ended: threading.Event, lab: Lab) -> bool:
    """Wait for the end; true if it came because no more requests can be kept."""
    most = MOST if lab.proxy == "labkit" else MOST_BESIDE_A_REAL_ONE
    while not ended.wait(1.0):
        if len(lab.exchanges) >= most:
            return True
    return False


def _full(is_full: bool) -> str:
    return "ended by itself: it keeps no more requests in memory" if is_full else ""


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


def _line(number: int, line: Access) -> str:
    """One access-log line: when, what was asked, what came of it, how long it took."""
    return (
        f"{line.start_time} #{number} {line.method or '-'} {line.path or '-'} "
        f"{line.response_code or '-'} {line.response_flags} "
        f"{line.response_code_details} attempts={line.upstream_request_attempt_count} "
        f"{line.duration}ms"
    )


def _sums(lab: Lab) -> str:
    from labkit.lab.record import counted

    ledger = lab.ledger
    told: dict[str, Mapping[Any, int]] = {
        "answers": ledger.statuses(),
        "causes of failure": ledger.errors(),
        "flags": ledger.flags(),
    }
    sums = (f"{what}: {counted(n) or 'none'}" for what, n in told.items())
    return (
        f"{len(ledger.exchanges)} requests, {ledger.failed} failed; {'; '.join(sums)}"
    )

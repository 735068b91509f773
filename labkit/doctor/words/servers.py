"""Application servers: the words for a client that left and for their own end."""

from __future__ import annotations

from labkit.doctor.explanation import entry
from labkit.doctor.phrases import Rank, Row, row

ROWS: tuple[Row, ...] = (
    row(
        Rank.STAGE,
        entry("uWSGI", "client-left", "server"),
        "uwsgi_response_write*",
        "uwsgi_response_sendfile*",
        "oserror: write error",
        "ioerror: write error",
        "probably the client disconnected",
    ),
    row(
        Rank.STAGE,
        entry("Python servers", "client-left", "server"),
        "broken pipe from (",
        "clientdisconnect",
        "ignoring epipe",
        "ignoring connection epipe",
        "ignoring connection reset",
        "connection reset by peer && exception happened during processing of request",
    ),
    row(
        Rank.STAGE,
        entry("gunicorn", "restart", "server", more="max_requests was reached."),
        "autorestarting worker after current request",
    ),
    row(
        Rank.WORDS,
        entry("application server", "restart", "server"),
        "worker exiting",
        "handling signal: term",
        "handling signal: hup",
        "gracefully shutting down",
        "graceful shutdown",
        "gracefully stopping",
        "gracefully killing worker",
        "shutting down gracefully",
        "waiting for connections to close",
        "received sigterm",
        "sigterm received",
        "(sigterm) received",
        "(sigquit) received",
        "stopping container",
        "rolling restart",
        "maximum request limit of",
        "shutting down: master",
        "waiting for application shutdown",
    ),
    row(
        Rank.STAGE,
        entry(
            "application server",
            "died",
            "server",
            more="A worker was killed while it worked.",
        ),
        "worker timeout",
        "was sent sigkill",
        "killed by signal",
        "exited on signal",
        "terminating timed out worker",
        "oomkilled",
        "out of memory: killed process",
        "oom-kill",
    ),
)

"""Python's HTTP clients: the words that each has for a failed request."""

from __future__ import annotations

from labkit.reference.errors.explanation import entry
from labkit.reference.errors.phrases import Rank, Row, row
from labkit.reference.errors.words.common import NO_ANSWER, pool

_REQUESTS = "Python: http.client, requests, urllib3"
_AIOHTTP = "Python: aiohttp"
_HTTPX = "Python: httpx"

ROWS: tuple[Row, ...] = (
    row(
        Rank.WORDS,
        entry(_REQUESTS, "race", sources="requests 3458"),
        "remotedisconnected",
        "remote end closed connection without response",
        "badstatusline(\"''\"",
        "badstatusline('')",
        'badstatusline("")',
        "badstatusline: ''",
        'badstatusline: ""',
        "badstatusline: no status line received",
    ),
    row(
        Rank.ENDED,
        entry(_REQUESTS, "malformed", cause=NO_ANSWER),
        "badstatusline(",
        "badstatusline:",
    ),
    row(
        Rank.STATUS,
        entry(_REQUESTS, "unclear"),
        "badstatusline",
        "max retries exceeded",
    ),
    row(
        Rank.STAGE,
        entry(_REQUESTS, "connect"),
        "newconnectionerror",
        "connecttimeouterror",
        "connecttimeout",
        "connect timeout=",
        "nameresolutionerror",
    ),
    row(
        Rank.STAGE,
        entry(_REQUESTS, "cut"),
        "incompleteread(",
        "incompleteread:",
        "('connection broken:",
        '("connection broken:',
        "invalidchunklength",
        "chunkedencodingerror",
    ),
    row(
        Rank.WORDS,
        entry(_REQUESTS, "timeout"),
        "readtimeouterror",
        "requests.exceptions.readtimeout",
        "read timeout=",
    ),
    row(
        Rank.WORDS,
        entry(_REQUESTS, "reset"),
        "'connection aborted.' ... connectionreseterror",
        "'connection aborted.' ... brokenpipeerror",
        "'connection aborted.' ... oserror",
        "'connection aborted.' ... error(",
    ),
    row(
        Rank.WORDS,
        entry("Python: botocore", "race"),
        "connectionclosederror",
        "connection was closed before we received a valid response",
    ),
    row(
        Rank.WORDS,
        entry(_AIOHTTP, "race", sources="aiohttp 10790"),
        "serverdisconnectederror",
    ),
    row(
        Rank.ENDED,
        entry("Python: aiohttp, httpx", "race"),
        "server disconnected",
    ),
    row(
        Rank.WORDS,
        entry(_AIOHTTP, "reset", sources="aiohttp 10790"),
        "clientoserror",
        "clientconnectionreseterror",
        "cannot write to closing transport",
    ),
    row(
        Rank.STAGE,
        entry(_AIOHTTP, "connect"),
        "clientconnectorerror",
        "clientconnectordnserror",
        "clientconnectorsslerror",
        "clientconnectorcertificateerror",
        "clientproxyconnectionerror",
        "cannot connect to host",
        "connectiontimeouterror",
    ),
    row(
        Rank.STAGE,
        entry(_AIOHTTP, "cut"),
        "clientpayloaderror",
        "response payload is not completed",
        "contentlengtherror",
        "transferencodingerror",
    ),
    row(
        Rank.WORDS,
        entry(_AIOHTTP, "timeout"),
        "sockettimeouterror",
        "servertimeouterror",
        "timeout on reading data from socket",
    ),
    row(
        Rank.WORDS,
        entry(_HTTPX, "race"),
        "server disconnected without sending a response",
    ),
    row(
        Rank.WORDS,
        entry(_HTTPX, "reset"),
        "httpx.readerror",
        "httpcore.readerror",
        "httpx.writeerror",
        "httpcore.writeerror",
        "httpx.closeerror",
    ),
    row(
        Rank.STAGE,
        entry(_HTTPX, "connect"),
        "httpx.connecterror",
        "httpcore.connecterror",
        "httpx.connecttimeout",
        "httpcore.connecttimeout",
        "all connection attempts failed",
    ),
    row(
        Rank.STAGE,
        entry(_HTTPX, "cut"),
        "peer closed connection without sending complete message body",
        "incomplete chunked read",
    ),
    row(
        Rank.WORDS,
        entry(_HTTPX, "timeout"),
        "readtimeout",
        "writetimeout",
        "the read operation timed out",
        "the write operation timed out",
    ),
    row(Rank.STAGE, pool(_HTTPX), "pooltimeout"),
    row(
        Rank.WORDS,
        entry(_HTTPX, "malformed", cause=NO_ANSWER),
        "remoteprotocolerror ... illegal",
    ),
    row(
        Rank.WORDS,
        entry(
            _HTTPX,
            "malformed",
            hop="none: the client itself",
            cause="The client's own fault: what it was told to send is no valid HTTP, "
            "such as a body that does not fit its Content-Length.",
            remedy="Mend the headers and the body that the program gives to the "
            "client. A part of the request may have been sent.",
        ),
        "localprotocolerror",
        "too much data for declared content-length",
        "too little data for declared content-length",
    ),
    row(
        Rank.WORDS,
        entry(
            "Python: asyncio streams",
            "race",
            more="A stream ended before the first byte of what was awaited.",
        ),
        "incompletereaderror: 0 bytes read",
    ),
    row(
        Rank.ENDED,
        entry("Python: asyncio streams", "cut"),
        "incompletereaderror",
    ),
    row(
        Rank.WORDS,
        entry(
            "Python",
            "unclear",
            cause="Some input ended. Python's HTTP clients have other words for a "
            "connection that ended (RemoteDisconnected, ServerDisconnectedError).",
            remedy="Look at the line of the program that was reading, and from what.",
        ),
        "eoferror: eof when reading a line",
        "eoferror && traceback (most recent call last)",
        "eoferror && multiprocessing",
    ),
)

"""Clients and servers on the JVM: their words for a failed request."""

from __future__ import annotations

from labkit.doctor.explanation import entry
from labkit.doctor.phrases import Rank, Row, row
from labkit.doctor.words.common import NO_ANSWER, pool

_JAVA = "Java"

ROWS: tuple[Row, ...] = (
    row(
        Rank.WORDS,
        entry("Akka HTTP, Pekko HTTP", "race"),
        "closed the connection unexpectedly before delivering responses",
    ),
    row(
        Rank.WORDS,
        entry("Java: Vert.x", "race"),
        "httpclosedexception",
        "vertxexception: connection was closed",
    ),
    row(Rank.WORDS, entry("Java: Armeria", "race"), "closedsessionexception"),
    row(
        Rank.WORDS,
        entry("Java: Apache HttpClient", "race"),
        "nohttpresponseexception",
        "failed to respond",
        "connectionclosedexception",
    ),
    row(
        Rank.STAGE,
        entry("Java: Apache HttpClient", "cut"),
        "premature end of content-length delimited message body",
        "premature end of chunk coded message body",
        "premature end of chunk*",
    ),
    row(
        Rank.STAGE,
        pool("Java: Apache HttpClient"),
        "timeout waiting for connection from pool",
        "connectionpooltimeoutexception",
        "connectionrequesttimeoutexception",
    ),
    row(
        Rank.WORDS,
        entry("Java, Kotlin: OkHttp", "race"),
        "unexpected end of stream on",
        "unexpected end of stream",
        "not found: limit=0",
    ),
    row(
        Rank.STAGE,
        entry("Java, Kotlin: OkHttp", "cut"),
        "protocolexception: unexpected end of stream",
        "not found: limit=*",
    ),
    row(
        Rank.STAGE,
        entry("Java, Kotlin: OkHttp", "race"),
        "protocolexception: unexpected end of stream on",
        "not found: limit=0",
    ),
    row(
        Rank.WORDS,
        entry("Java: Reactor Netty", "race"),
        "prematurecloseexception",
        "connection prematurely closed before response",
        "connection has been closed before response",
        "connectionclosedbeforeresponse*",
    ),
    row(
        Rank.STAGE,
        entry("Java: Reactor Netty", "cut"),
        "connection prematurely closed during response",
        "connection has been closed during response",
        "response ... prematurely closed during",
    ),
    row(
        Rank.STAGE,
        pool("Java: Reactor Netty"),
        "poolacquiretimeoutexception",
        "poolacquirependinglimitexception",
        "pending acquire queue has reached its maximum size",
    ),
    row(
        Rank.WORDS,
        entry("Java: java.net.http", "race"),
        "eof reached while reading",
        "header parser received no bytes",
    ),
    row(
        Rank.WORDS,
        entry("Java: HttpURLConnection", "race"),
        "unexpected end of file from server",
    ),
    row(
        Rank.WORDS,
        entry(
            _JAVA,
            "race",
            more="The exception comes from files and other streams too.",
        ),
        "java.io.eofexception",
    ),
    row(
        Rank.STAGE,
        entry(_JAVA, "cut"),
        "truncatedchunkexception",
        "premature eof",
        "unexpected end of zlib input stream",
        "fixed content-length ... bytes received",
        "chunked transfer encoding, state: ... closed",
    ),
    row(
        Rank.WORDS,
        entry(_JAVA, "reset"),
        "socketexception: connection reset*",
        "socketexception: broken pipe*",
        "ioexception: connection reset*",
        "ioexception: broken pipe",
        "socketexception: socket closed",
        "streamresetexception",
        "nativeioexception",
        "closedchannelexception",
        "asynchronouscloseexception",
    ),
    row(
        Rank.STAGE,
        entry(_JAVA, "connect"),
        "net.connectexception",
        "connecttimeoutexception",
        "httpconnecttimeoutexception",
        "httphostconnectexception",
        "annotatedconnectexception",
        "noroutetohostexception",
        "unknownhostexception",
        "sslhandshakeexception",
        "remote host terminated the handshake",
        "ssl peer shut down incorrectly",
        "connection timed out: no further information",
    ),
    row(
        Rank.WORDS,
        entry(_JAVA, "timeout"),
        "sockettimeoutexception",
        "readtimeoutexception",
        "httptimeoutexception",
        "did not observe any item or terminal signal within*",
    ),
    row(
        Rank.WORDS,
        entry(_JAVA, "malformed", cause=NO_ANSWER),
        "invalid http response",
        "invalid version format",
        "invalid status line",
    ),
    row(
        Rank.STAGE,
        entry("Java server: Tomcat, Jetty, Netty", "client-left", "server"),
        "clientabortexception",
        "jetty.io.eofexception",
        "eofexception: closed",
        "connection has been closed before send operation",
        "asyncrequestnotusableexception",
    ),
)

"""Snippets for servers whose compilers are not here: Go, Kestrel and Puma.

The fields that a snippet sets are held against tables; where gofmt or ruby is
installed, it reads the whole snippet as well.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.snippets.java import number
from tests.snippets.tables import Leaf, Message, hold, matching, one_of, whole
from tests.snippets.wrong import Wrong, ask

# -- Go --------------------------------------------------------------------------------
# Go's sources: net/http/server.go, net/http/transport.go, net/dial.go, net/tcpsock.go.

_UNIT = r"time\.(Millisecond|Second|Minute|Hour)"
GO_SPAN = matching(
    rf"([1-9]\d*\s*\*\s*)?{_UNIT}|{_UNIT}\s*\*\s*[1-9]\d*",
    "a number times a unit, like 75 * time.Second: a bare number is nanoseconds",
)
GO_BOOL = one_of("true", "false")
_ANY = Leaf("any expression", lambda value: True)
GO: dict[str, Message] = {
    "http.Server": Message(
        "net/http Server",
        {
            "Addr": _ANY,
            "Handler": _ANY,
            "IdleTimeout": GO_SPAN,
            "ReadTimeout": GO_SPAN,
            "ReadHeaderTimeout": GO_SPAN,
            "WriteTimeout": GO_SPAN,
            "MaxHeaderBytes": _ANY,
        },
    ),
    "http.Transport": Message(
        "net/http Transport",
        {
            "Proxy": _ANY,
            "DialContext": _ANY,
            "TLSClientConfig": _ANY,
            "TLSHandshakeTimeout": GO_SPAN,
            "DisableKeepAlives": GO_BOOL,
            "MaxIdleConns": whole(0),
            "MaxIdleConnsPerHost": whole(0),
            "MaxConnsPerHost": whole(0),
            "IdleConnTimeout": GO_SPAN,
            "ResponseHeaderTimeout": GO_SPAN,
            "ExpectContinueTimeout": GO_SPAN,
            "ForceAttemptHTTP2": GO_BOOL,
        },
    ),
    "net.Dialer": Message(
        "net Dialer",
        {"Timeout": GO_SPAN, "KeepAlive": GO_SPAN, "KeepAliveConfig": _ANY},
    ),
    "net.ListenConfig": Message(
        "net ListenConfig", {"KeepAlive": GO_SPAN, "KeepAliveConfig": _ANY}
    ),
    "net.KeepAliveConfig": Message(
        "net KeepAliveConfig",
        {"Enable": GO_BOOL, "Idle": GO_SPAN, "Interval": GO_SPAN, "Count": whole(1)},
        ("Enable",),
    ),
}
_LITERAL = re.compile(rf"\b({'|'.join(re.escape(name) for name in GO)})\{{")
_ASSIGNED = re.compile(r"[\w)]\.([A-Z]\w*) *=(?!=) *(.+)")
_FIELDS = Message(
    "Go's net/http and net",
    {
        "Close": GO_BOOL,  # of an http.Request
        **{key: shape for each in GO.values() for key, shape in each.keys.items()},
    },
)
_CALLS = re.compile(
    r"\.Header\(\)\.Set\(\"Connection\", \"close\"\)|\.Shutdown\(\w+\)|"
    r"\.SetKeepAlivesEnabled\(true\)"
)


def check_go(text: str) -> None:
    """Literals of the structs above, assignments to a server's fields, or calls."""
    code = re.sub(r"//.*", "", text)
    for opening, closing in ("{}", "()", "[]"):
        if code.count(opening) != code.count(closing):
            raise Wrong(f"there are not as many {opening} as {closing}")
    if ".SetKeepAlivesEnabled(false)" in code:  # net/http/server.go: closeIdleConns
        raise Wrong(
            "SetKeepAlivesEnabled(false) closes idle connections at once and without a "
            "word, so requests are lost: send Connection: close for a while instead"
        )
    literals = list(_LITERAL.finditer(code))
    assigned = {m[1]: number(m[2].strip()) for m in _ASSIGNED.finditer(code)}
    if not (literals or assigned or _CALLS.search(code)):
        raise Wrong(
            f"nothing here is known; known are {', '.join(GO)} and their fields"
        )
    for each in literals:
        hold(_fields(code, each.end()), GO[each[1]], each[1])
    hold(assigned, _FIELDS)
    _parsed("gofmt", text, "-e")


def _fields(code: str, at: int) -> dict[str, int | str]:
    """The fields of the literal whose brace has just opened."""
    depth, piece, pieces = 1, "", []
    while depth:
        letter = code[at]
        depth += (letter in "{([") - (letter in "})]")
        if depth == 0 or (depth == 1 and letter in ",\n"):
            pieces.append(piece)
            piece = ""
        else:
            piece += letter
        at += 1
    found: dict[str, int | str] = {}
    for each in filter(None, map(str.strip, pieces)):
        name, is_there, value = each.partition(":")
        if not is_there:
            raise Wrong(f"{each!r} is no field with its value")
        found[name.strip()] = number(value.strip())
    return found


def _parsed(program: str, text: str, *options: str) -> None:
    """Asks a parser, where there is one."""
    path = shutil.which(program)
    if path is None:
        return
    status, told = ask(path, *options, folder=Path("/"), text=text)
    if status:
        raise Wrong(f"{program} says: {' '.join(told.split())}")


# -- Kestrel ---------------------------------------------------------------------------
# dotnet/aspnetcore src/Servers/Kestrel/Core/src/KestrelServerLimits.cs.

CS_SPAN = matching(
    r"TimeSpan\.From(Seconds|Minutes|Hours|Milliseconds)\([1-9]\d*(\.\d+)?\)",
    "a TimeSpan, like TimeSpan.FromSeconds(75)",
)
KESTREL = Message(
    "KestrelServerLimits",
    {
        "KeepAliveTimeout": CS_SPAN,
        "RequestHeadersTimeout": CS_SPAN,
        "MaxConcurrentConnections": whole(1),
        "MaxRequestBodySize": whole(0, 2**63 - 1),
    },
)
_LIMIT = re.compile(r"\bLimits\.(\w+)\s*=\s*([^;]+)(;?)")


def check_kestrel(text: str) -> None:
    """C#: assignments to the limits of a KestrelServerOptions."""
    found = list(_LIMIT.finditer(text))
    if not found:
        raise Wrong("no limit of Kestrel is set here, like options.Limits.Name = ...;")
    for each in found:
        if not each[3]:
            raise Wrong(f"there is no semicolon after {each[0].strip()!r}")
        hold({each[1]: number(each[2].strip())}, KESTREL, "Limits")


# -- Puma ------------------------------------------------------------------------------
# puma/puma lib/puma/dsl.rb, Puma 8.0.2.

PUMA = Message(
    "Puma's DSL",
    {
        "persistent_timeout": whole(1),
        "first_data_timeout": whole(1),
        "max_keep_alive": whole(1),
        "worker_shutdown_timeout": whole(1),
        "force_shutdown_after": Leaf(
            "seconds, :forever or :immediately",
            lambda v: isinstance(v, int) or v in (":forever", ":immediately"),
        ),
        "enable_keep_alives": one_of("true", "false", ""),
        "drain_on_shutdown": one_of("true", "false", ""),
        "workers": whole(0),
        "threads": matching(r"\d+, *\d+", "two numbers"),
        "port": whole(1, 65_535),
    },
)
_NOT_PUMA = {
    "idle_timeout": "idle_timeout ends Puma itself when no request comes, not a "
    "connection: that is persistent_timeout",
    "max_fast_inline": "max_fast_inline is deprecated: it is max_keep_alive now",
}


def check_puma(text: str) -> None:
    """Lines of config/puma.rb."""
    lines = [re.sub(r"#.*", "", line).strip() for line in text.splitlines()]
    for line in filter(None, lines):
        word, _, value = line.partition(" ")
        if word in _NOT_PUMA:
            raise Wrong(_NOT_PUMA[word])
        hold({word: number(_ruby(value.strip()))}, PUMA)
    _parsed("ruby", text, "-c")


def _ruby(value: str) -> str:
    """Ruby's 1_000 is 1000; a symbol keeps its underscores."""
    return value.replace("_", "") if value[:1].isdigit() else value

"""What a snippet sets in Node.js arrives, or the snippet is refused."""

from __future__ import annotations

import pytest

from tests.snippets.kinds import check
from tests.snippets.refusing import complaint

MAKES = "const http = require('http');\nconst server = http.createServer({});\n"

REFUSED = [
    ("node", "server.keepaliveTimeout = 65_000;", "has no keepaliveTimeout"),
    ("node", "server.keepAliveTimeout = '65s';", "a number of milliseconds"),
    ("node", "const wanted = 65_000;", "this sets nothing"),
    ("node", MAKES.replace("{}", "{ keepAlive_: 1 }"), "no option keepAlive_"),
    ("node", "server.close(", "SyntaxError"),
    ("node", "sevrer.keepAliveTimeout = 65_000;", "sevrer is not defined"),
    ("node client", "new http.Agent({ timeout: 4000 });", "keeps no connection"),
    (
        "node client",
        "new http.Agent({ keepAlive: true, freeSocketTimeout: 4000 });",
        "Agent has no option freeSocketTimeout",
    ),
    (
        "node client",
        "const { Agent } = require('undici');\nnew Agent({ keepaliveTimeout: 4000 });",
        "undici has no option keepaliveTimeout",
    ),
    ("node client", "server.keepAliveTimeout = 65_000;", "server is not defined"),
    # Beside an application, which has answered by then: every request kills it.
    (
        "node",
        "server.on('request', (_, res) => res.setHeader('Connection', 'close'));",
        "Cannot set headers after they are sent",
    ),
    (
        "node",
        "server.prependListener('request', (_, res) => res.end('the last one'));",
        "leaves the application nothing to answer",
    ),
]


@pytest.mark.parametrize(("kind", "text", "told"), REFUSED)
def test_a_wrong_snippet_is_refused_with_its_reason(
    kind: str, text: str, told: str
) -> None:
    assert told in complaint(kind, text)


RIGHT = [
    ("node", "server.keepAliveTimeout = 5_000;"),
    ("node", "server.keepAliveTimeout = 65_000;"),
    ("node", MAKES + "server.keepAliveTimeout = 65_000;\nserver.listen(8080);"),
    ("node", "import http from 'node:http';\nhttp.createServer({ noDelay: false });"),
    ("node", "const server = app.listen(3000);\nserver.keepAliveTimeout = 65_000;"),
    ("node", "process.on('SIGTERM', () => server.close());"),
    (
        "node",
        "server.prependListener('request', (_, res) => "
        "res.setHeader('Connection', 'close'));",
    ),
    (
        "node",
        f"{MAKES}server.on('request', (_, res) => "
        "res.setHeader('Connection', 'close').end());",
    ),
    (
        "node client",
        "const agent = new https.Agent({ keepAlive: true, timeout: 4000 });",
    ),
]


@pytest.mark.parametrize(("kind", "text"), RIGHT)
def test_a_snippet_in_any_usual_form_is_run(kind: str, text: str) -> None:
    check(kind, text)

"""``EOF`` as Go prints it: the last word of a message, and nobody's in particular."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.reference.errors import elsewhere
from labkit.reference.errors.explanation import KnownError, entry
from labkit.reference.errors.fields import every
from labkit.reference.errors.pasted import Pasted
from labkit.reference.errors.phrases import Finding, Rank

# Behind ": " or "=" or in quotes or brackets, and at the end of a line, of a value or
# before the next field. "unexpected EOF" and "EOF when reading a line" are others.
_EOF = re.compile(
    r"(?:(?<![a-z] token): |(?<=[=(\"'])|^|: [\"'])eof"
    r"(?=$|[\"')\],;}|]|\. |\.$| [a-z_]{1,30}[=:]| [\[({]| at )",
    re.MULTILINE,
)
_PROXIES = (
    ("caused by: eof", "Traefik"),
    ('"logger":"http.log.error', "Caddy"),
    ("reverseproxy.", "Caddy"),
    ("cloudflared", "cloudflared"),
    ("endpoint_failure", "gorouter"),
    ("x_cf_routererror", "gorouter"),
    ("fetcherror", "Varnish"),
)


def findings(pasted: Pasted) -> Iterator[Finding]:
    """The places where a text ends in EOF."""
    for match in every(_EOF, pasted.lines):
        yield Finding(Rank.ENDED, match.start(), _entry(pasted))
        return


def _entry(pasted: Pasted) -> KnownError:
    text = pasted.lowered
    if not elsewhere.speaks_of_http(text):
        return elsewhere.UNCLEAR
    proxy = next((name for words, name in _PROXIES if words in text), None)
    return entry(proxy, "race", "proxy") if proxy else entry("Go: net/http", "race")

"""The end of a file, an archive or another protocol's connection: no sign of HTTP.

"EOF" and "closed the connection" are printed by everything that reads. Without a word
of HTTP beside them they tell nothing of a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.reference.errors.explanation import entry
from labkit.reference.errors.fields import every
from labkit.reference.errors.pasted import Pasted
from labkit.reference.errors.phrases import Finding, Rank

UNCLEAR = entry(
    "almost anything",
    "unclear",
    hop="the text names no HTTP connection",
    cause="Something that was read ended: a file, an archive, a message, or another "
    "protocol's connection. The text does not speak of HTTP.",
    remedy="Look at the line of the program that was reading, and from what.",
)
_HTTP = re.compile(
    r"https?(?![a-z])|(?<![a-z])(?:rpc error|grpc|upstream|gateway|reverse_?proxy|"
    r"proxy error|haproxy|envoy|nginx|traefik|caddy|cloudflared|okhttp\w{0,20}|"
    r"urllib3?|requests\.|aiohttp|httpx|faraday|fetcherror|fetch failed|"
    r"endpoint_failure|x_cf_routererror|unexpected end of stream on connection|"
    r"(?:response|server returned|status code|error) 50[0234])(?![a-z])"
    r"|(?<![\w.])50[234] [a-z]|client(?:payload|os|connector)error"
)
# What reads something else, before its word for the end.
_READS = (
    r"decod|pars|unmarshal|deserial|config|\.(?:json|ya?ml|toml|csv|gz|zip|tar)|yaml|"
    r"toml|pickle|g?zip|zlib|bzip|tar:|archive|kafka|broker|redis|postgres|psycopg|"
    r"psql|libpq|mysql|mongo|amqp|rabbit|smtp|imap|ldap|ssh|kex_|ftp|stdin"
)
_END = (
    r"unexpected eof|unexpected end of (?:file|stream)|ran out of input|"
    r"closed the connection|connection closed|closed by (?:the )?remote|"
    r"(?<![a-z])eof(?:exception|error)?(?![a-z])|unexpected end of zlib input stream|"
    r"socket closed|connection reset by peer"
)
_READ_TO_ITS_END = re.compile(
    rf"(?<![a-z])(?:{_READS})(?:.{{0,200}}?)(?<![a-z])(?:{_END})"
)
_BARE = re.compile(
    r"unexpected eof|unexpected end of file(?! from server)|ran out of input|"
    r"unexpected end of zlib input stream|server closed the connection unexpectedly"
)
# Parsing ends at the end of what was there, even if that came by HTTP. Of a response
# it tells a little more: a half of one is a sign that it was cut.
_DECODES = r"(?:decod|pars|unmarshal)[a-z]{0,6}"
_DECODED = re.compile(
    rf"{_DECODES}[^:\n]{{0,60}}: eof(?!\w)"
    rf"|{_DECODES}(?![^:\n]{{0,60}}response)[^:\n]{{0,60}}: unexpected eof(?!\w)"
)


def speaks_of_http(text: str) -> bool:
    """Does a text, in small letters, name HTTP or a program that speaks it?"""
    return bool(_HTTP.search(text)) and not _DECODED.search(text)


def findings(pasted: Pasted) -> Iterator[Finding]:
    """The first end of something that is no HTTP, if nothing speaks of HTTP."""
    text = pasted.lowered
    if speaks_of_http(text):
        return
    for searched in (_READ_TO_ITS_END, _BARE):
        for match in every(searched, text):
            yield Finding(Rank.STAGE, match.start(), UNCLEAR, len(text))
            return

"""What the proxies refuse, warn of, or would ignore is refused in one sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.snippets import directives, nginx
from tests.snippets.kinds import check
from tests.snippets.refusing import complaint
from tests.snippets.wrong import Wrong

_OPTIONS = """
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    common_http_protocol_options: { idle_timeout: 4s }
"""
_KEEPING = "upstream app {{ server 127.0.0.1:8080; keepalive 32; }}\nserver {{ {} }}\n"
_PASSES = "location / { proxy_pass http://app; "

REFUSED = [
    (
        "envoy cluster",
        "common_http_protocol_options: { idle_timeout: 4s }",
        "Using deprecated option",
    ),
    ("envoy cluster", _OPTIONS, '"upstream_protocol_options", reason: is required'),
    ("envoy cluster", "idle_timeout: 4s", "no such field: 'idle_timeout'"),
    ("envoy cluster", "connect_timeout: .4s", "connect_timeout"),
    ("envoy cluster", "type: STATIC\ntype: STATIC", "type stands twice"),
    ("envoy cluster", "connect_timeout: [", "this is not YAML"),
    ("envoy cluster", "- connect_timeout: 4s", "keys with values are allowed"),
    ("envoy cluster", "# nothing", "there is nothing in this block"),
    ("envoy hcm", "idle_timeout: 75s", "no such field: 'idle_timeout'"),
    ("envoy hcm", "drain_timeout: 65", "drain_timeout"),
    (
        "envoy hcm",
        "http1_safe_max_connection_duration: true",
        "has no effect without common_http_protocol_options.max_connection_duration",
    ),
    (
        "envoy route",
        "retry_policy: { retry_on: 'reset,resett', num_retries: 2 }",
        "Unknown retry_on policy token(s) [resett]",
    ),
    ("envoy route", "retry_policy: { num_retries: 2 }", "without retry_on"),
    (
        "envoy route",
        "retry_policy: { retry_on: reset, retriable_status_codes: [503] }",
        "has no effect without retriable-status-codes",
    ),
    ("envoy route", "- match: { prefix: / }\n  route: { cluster: other }", "'other'"),
    ("envoy route", "just a word", "keys with values are allowed"),
    ("envoy virtual_host", "retries: 2", "no such field: 'retries'"),
    ("envoy listener", "tcp_keepalive: { idle: 60 }", "no such field: 'idle'"),
    ("envoy bootstrap", "admin: { adress: {} }", "no such field: 'adress'"),
    ("nginx http", "keepalive_timeot 75s;", 'unknown directive "keepalive_timeot"'),
    ("nginx http", "keepalive_timeout 75s", "no semicolon"),
    ("nginx http", "}", "a } too many"),
    ("nginx http", "server {", "does not end"),
    ("nginx server", "keepalive_timeout soon;", "invalid value"),
    ("nginx location", "keepalive 32;", "not allowed here"),
    ("nginx upstream", "keepalive_timeout 4s;", "no effect in an upstream without"),
    ("nginx upstream", "upstream app { server 127.0.0.1; }", "show a whole upstream"),
    ("nginx upstream", "keepalive 32; keepalive_timeout 4s;", "before nginx 1.29.7"),
    ("nginx http", _KEEPING.format(f"listen 80; {_PASSES}}}"), "before nginx 1.29.7"),
    (
        "nginx http",
        _KEEPING.format(f"listen 80; {_PASSES} proxy_http_version 1.1; }}"),
        "before nginx 1.29.7",
    ),
    (
        "nginx http",
        _KEEPING.format(f'{_PASSES} proxy_set_header Connection ""; }}'),
        "before nginx 1.29.7",
    ),
    (
        "nginx http",
        "server { listen 80; listen 81; listen 80; }",
        "duplicate listen",
    ),
    ("haproxy backend", "pool-purge-delay 4s", "unknown keyword 'pool-purge-delay'"),
    ("haproxy defaults", "timeout http-keepalive 75s", "'timeout' supports"),
    ("haproxy frontend", "http-reuse safe", "frontend 'ingress' has no backend"),
    ("haproxy backend", "backend other", "tag whole sections as haproxy"),
    ("haproxy backend", "default-server max-reuse 9", "promised for HTTP/2 only"),
    ("haproxy backend", "srvtcpka-idle 60s", "no effect without option srvtcpka"),
    ("haproxy", "retries 2", "there is no section here"),
    ("haproxy", "frontend f\n    bind :8000\n    default_backend x", "unable to find"),
    ("haproxy", "defaults\n    mode http\nbackend app", "missing timeouts"),
]


@pytest.mark.parametrize(("kind", "text", "told"), REFUSED)
def test_a_wrong_snippet_is_refused_with_its_reason(
    kind: str, text: str, told: str
) -> None:
    assert told in complaint(kind, text)


RIGHT = [
    ("nginx server", "server { listen 80; keepalive_timeout 75s; }"),
    ("nginx location", "location / { proxy_pass http://app; proxy_read_timeout 5s; }"),
    ("nginx location", "return 200;"),
    ("nginx upstream", "least_conn; server 127.0.0.1:8080 max_fails=0;"),
    ("haproxy", "backend app\n    server app1 127.0.0.1:8080 pool-max-conn 10"),
    ("haproxy", "global\n    hard-stop-after 60s"),
    ("envoy route", "timeout: 5s"),
    ("envoy route", "match: { path: /pay }\nroute: { cluster: app }"),
    ("envoy bootstrap", "stats_flush_interval: 5s"),
]


@pytest.mark.parametrize(("kind", "text"), RIGHT)
def test_a_snippet_in_any_usual_form_is_accepted(kind: str, text: str) -> None:
    check(kind, text)


@pytest.mark.live
@pytest.mark.real
def test_the_scratch_folder_is_in_no_complaint() -> None:
    with pytest.raises(Wrong, match=r"^nginx says: \[emerg\] unknown directive"):
        check("nginx http", "nonsense on;")


# -- which upstreams keep connections, read off the directives alone -------------------

_UPSTREAM = "upstream app { server 127.0.0.1:8080; keepalive 32; }"
_VERSION = "proxy_http_version 1.1;"
_CLEARED = 'proxy_set_header Connection "";'


def kept(server: str) -> None:
    nginx.keeps_connections(directives.parsed(f"{_UPSTREAM} server {{ {server} }}"))


def test_a_location_inherits_from_its_server() -> None:
    kept(f"{_VERSION} {_CLEARED} location / {{ proxy_pass http://app; }}")


def test_one_header_of_its_own_and_a_location_inherits_none() -> None:
    own = "proxy_set_header Host $host; proxy_pass http://app;"
    with pytest.raises(Wrong, match="keeps no connection"):
        kept(f"{_VERSION} {_CLEARED} location / {{ {own} }}")


def test_every_location_that_passes_to_the_upstream_counts() -> None:
    good = f"location /a {{ proxy_pass http://app; {_VERSION} {_CLEARED} }}"
    kept(good)
    with pytest.raises(Wrong, match="keeps no connection"):
        kept(f"{good} location /b {{ proxy_pass http://app/b; }}")


WORDS = st.lists(st.text("ab0$;{}# '", max_size=4), min_size=1, max_size=2)
LEAF = WORDS.map(directives.Directive)
TREES = st.recursive(
    st.lists(LEAF, max_size=2),
    lambda inner: st.lists(st.builds(directives.Directive, WORDS, inner), max_size=2),
    max_leaves=4,
)


@given(TREES)
def test_what_is_written_as_directives_is_read_as_such(
    tree: list[directives.Directive],
) -> None:
    assert directives.parsed(_written(tree)) == tree


def _written(tree: list[directives.Directive]) -> str:
    return "".join(map(_line, tree))


def _line(directive: directives.Directive) -> str:
    words = " ".join(f'"{word}"' for word in directive.words)
    if directive.inside is None:
        return f"{words};"
    return f"{words} {{ {_written(directive.inside)} }}"


def test_directives_know_quotes_comments_and_escapes() -> None:
    text = 'log_format a \'{"b": "$c"}\'; # } is no end\nmap $a ${b}c { "" 1; }'
    found = directives.parsed(text)
    assert [each.words for each in found] == [
        ["log_format", "a", '{"b": "$c"}'],
        ["map", "$a", "${b}c"],
    ]
    assert found[1].inside == [directives.Directive(["", "1"])]

"""An error string leads to its cause, also inside a whole log line."""

import pytest

from labkit.doctor import explain
from labkit.settings import SettingsError

STRINGS = {
    "upstream connect error or disconnect/reset before headers. reset reason: "
    "connection termination": "Envoy",
    '[2026-01-01T00:00:00Z] "GET / HTTP/1.1" 503 UC 0 95 12 - "-"': "Envoy",
    "upstream_reset_before_response_started{connection_termination}": "Envoy",
    "elb_status_code=502 target_status_code=-": "AWS ALB",
    "HTTPCode_ELB_502_Count": "AWS ALB",
    "backend_connection_closed_before_data_sent_to_client": "Google",
    "upstream prematurely closed connection while reading response header from "
    "upstream": "nginx",
    "recv() failed (104: Connection reset by peer) while reading response header "
    "from upstream": "nginx",
    "10.0.0.1:5000 [..] fe be/s1 0/0/0/-1/2 502 208 - - SH-- 1/1/0/0/0 0/0": "HAProxy",
    "502 Bad Gateway caused by: EOF": "Traefik",
    "AH01102: error reading status line from remote server": "Apache",
    "AH00898: Error reading from remote server returned by /": "Apache",
    "RemoteDisconnected('Remote end closed connection without response')": (
        "http.client"
    ),
    "BadStatusLine(\"''\",)": "http.client",
    "aiohttp.ServerDisconnectedError: Server disconnected": "aiohttp",
    "ClientOSError: [Errno 104] Connection reset by peer": "aiohttp",
    "httpx.RemoteProtocolError: Server disconnected without sending a response.": (
        "httpx"
    ),
    "Error: socket hang up": "Node",
    "SocketError: other side closed": "Node",
    "http: server closed idle connection": "Go",
    "unexpected end of stream on http://x": "Java",
    "org.apache.http.NoHttpResponseException: x failed to respond": "Java",
    "PrematureCloseException: Connection prematurely closed BEFORE response": "Java",
    "connection closed before message completed": "hyper",
    "The response ended prematurely. (ResponseEnded)": ".NET",
    "An existing connection was forcibly closed by the remote host": ".NET",
    "EOFError: end of file reached": "Ruby",
    "too many connection resets (due to end of file reached - EOFError)": "Ruby",
}


@pytest.mark.parametrize(("text", "program"), STRINGS.items())
def test_each_programs_words_lead_to_the_race(text: str, program: str) -> None:
    told = explain(text)
    assert told.entry is not None
    assert program in told.entry.program
    assert "clos" in told.entry.cause
    assert "what to do" in str(told)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("503 UF upstream_reset{delayed_connect_error:_Connection_refused}", "refused"),
        ("503 URX,UC", "Every try"),
        ("503 UO,UC", "budget"),
        ("502 UPE reset reason: protocol error", "no HTTP"),
        ("504 UT upstream request timeout", "longer"),
    ],
)
def test_other_causes_are_told_apart_from_the_race(text: str, words: str) -> None:
    entry = explain(text).entry
    assert entry is not None and words in entry.cause


def test_case_and_line_breaks_do_not_matter() -> None:
    told = explain("UPSTREAM prematurely\n  closed connection while reading "
                   "Response header")  # fmt: skip
    assert told.entry is not None and "nginx" in told.entry.program


def test_unknown_words_get_an_honest_answer() -> None:
    told = explain("the flux capacitor closed its connection")
    assert told.entry is None
    assert "no entry" in str(told) and told.near


def test_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match="empty"):
        explain("  \n ")

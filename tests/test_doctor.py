"""An error text leads to a verdict that an engineer may act on."""

import json
import re
from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labkit
from labkit.cli import main
from labkit.reference.errors import Explanation, explain
from labkit.reference.errors.envoy_words import FLAGS, LONG_NAMES
from labkit.reference.errors.explanation import VERDICTS
from labkit.reference.errors.phrases import written
from labkit.reference.errors.words import rows
from labkit.settings import SettingsError
from tests.doctor.pastes import ALL, Paste

EXECUTED = {"yes", "no", "unknown"}


def judged(text: str) -> tuple[str, str]:
    told = explain(text)
    return told.verdict, told.executed


@pytest.mark.parametrize("paste", ALL, ids=str)
def test_a_paste_gets_its_verdict_and_whether_it_was_executed(paste: Paste) -> None:
    told = explain(paste.text)
    assert (told.verdict, told.executed) == (paste.verdict, paste.executed)
    of_this_try = "this try was not sent; with retries, an earlier try" in str(told)
    of_the_request = "no upstream worked on" in str(told)
    assert (of_this_try, of_the_request) == (
        (paste.executed == "no" and told.scope == "this try"),
        (paste.executed == "no" and told.scope == "request"),
    )


@pytest.mark.parametrize("before", ["2026-03-01T12:00:00.123Z app[7]: ", "> ", "\t"])
@pytest.mark.parametrize("after", ["\n", "  \r\n"])
def test_what_stands_around_a_line_changes_nothing(before: str, after: str) -> None:
    changed = {
        paste.name
        for paste in ALL
        if len(paste.text) > 25 and not paste.text.startswith("503 U")
        if judged(f"{before}{paste.text}{after}") != (paste.verdict, paste.executed)
    }
    assert not changed


# -- which program says so -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("upstream connect error or disconnect/reset before headers", "Envoy"),
        ("HTTPCode_ELB_502_Count", "AWS ALB"),
        ("backend_connection_closed_before_data_sent_to_client", "Google"),
        ("upstream prematurely closed connection while reading upstream", "nginx"),
        ("fe be/s1 0/0/0/-1/2 502 208 - - SH-- 1/1/0/0/0 0/0", "HAProxy"),
        ("502 Bad Gateway caused by: EOF", "Traefik"),
        ("AH01102: error reading status line from remote server", "Apache"),
        ("BadStatusLine(\"''\",)", "http.client"),
        ("aiohttp.ServerDisconnectedError: Server disconnected", "aiohttp"),
        ("Error: socket hang up", "Node"),
        ("http: server closed idle connection", "Go"),
        ("unexpected end of stream on http://x", "OkHttp"),
        ("connection closed before message completed", "hyper"),
        ("The response ended prematurely. (ResponseEnded)", ".NET"),
        ("EOFError: end of file reached", "Ruby"),
        ("Traceback (most recent call last):\nEOFError: EOF when reading", "Python"),
        ("java.io.EOFException", "Java"),
    ],
)
def test_the_program_is_named_that_prints_these_words(text: str, program: str) -> None:
    entry = explain(text).entry
    assert entry is not None and program in entry.program


def test_end_of_file_is_not_everywhere_rubys() -> None:
    texts = ["EOFError", "java.io.EOFException: null", 'Get "http://x": EOF']
    programs = [told.entry.program for told in map(explain, texts) if told.entry]
    assert programs == ["Ruby or Python", "Java", "Go: net/http"]


# -- places and capitals ---------------------------------------------------------------


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_of_envoy_is_known_in_its_places(flag: str) -> None:
    alone = judged(flag)
    assert alone[0] != "unknown"
    lines = [
        f'"GET / HTTP/1.1" 503 {flag} - "-" 0 95 0 -',
        f'{{"response_code":503,"response_flags":"{flag}"}}',
        f"response_flags={flag}",
    ]
    assert [judged(line) for line in lines] == [alone] * len(lines)


@pytest.mark.parametrize("name", LONG_NAMES)
def test_long_names_of_flags_say_what_the_short_ones_say(name: str) -> None:
    assert judged(name) == judged(LONG_NAMES[name])


@pytest.mark.parametrize("flag", FLAGS)
def test_letters_out_of_their_place_are_no_flag(flag: str) -> None:
    for text in (
        f'"GET /{flag}/list HTTP/1.1" 200 12',
        f"the {flag} Berkeley mirror",
        f"/{flag.lower()}/503",
        f"room 503{flag}",
        f"503 {flag.lower()}",
    ):
        assert judged(text) == ("unknown", "unknown"), text


STATES = [f"{who}{when}" for who in "CSPLRIDUKcs" for when in "RQCHDLT"]


@pytest.mark.parametrize("state", STATES)
def test_a_termination_state_before_a_server_had_it_was_not_executed(
    state: str,
) -> None:
    told = explain(f"web/s1 0/0/0/-1/2 502 208 - - {state}-- 1/1/0/0/0 0/0")
    assert told.entry is not None and told.entry.program == "HAProxy"
    assert (told.executed == "no") == (state[1] in "RQCT")


@pytest.mark.parametrize("state", [s for s in STATES if s.upper() != s])
def test_small_letters_of_a_termination_state_are_not_the_capitals(state: str) -> None:
    assert judged(f"{state}--")[0] != "race"
    assert explain(f"{state}--").entry != explain(f"{state.upper()}--").entry


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.05, 0.999])
def test_a_target_that_ended_at_once_raced(seconds: float) -> None:
    line = f"10.0.0.9:1 10.0.0.1:80 0.001 {seconds} -1 502 - 1 1"
    assert judged(f"http t lb {line}") == ("race", "unknown")


@pytest.mark.parametrize("seconds", [1.0, 4.205, 59.9])
def test_a_target_that_worked_for_seconds_died(seconds: float) -> None:
    line = f"10.0.0.9:1 10.0.0.1:80 0.001 {seconds} -1 502 - 1 1"
    assert judged(f"http t lb {line}") == ("died", "unknown")


def test_prose_is_read_in_any_case() -> None:
    for paste in (p for p in ALL if p.name in {"requests aborted", "nginx premature"}):
        assert judged(paste.text.upper()) == (paste.verdict, paste.executed)


def test_several_lines_name_the_first_failure_and_the_others() -> None:
    lines = ['"GET /a HTTP/1.1" 503 UF 0 95 0 -', '"GET /b HTTP/1.1" 503 UC 0 95 0 -']
    told = explain("\n".join(lines))
    assert (told.verdict, told.also) == ("connect", ("race",))


# -- what is told ----------------------------------------------------------------------


def test_all_that_is_told_is_in_the_words_that_are_explained() -> None:
    entries = [known for _, known in written(rows())]
    assert {each.verdict for each in entries} <= set(VERDICTS)
    assert {each.executed for each in entries} <= EXECUTED
    for each in entries:
        assert "nobody executed" not in each.cause
        assert all((each.program, each.hop, each.cause, each.remedy))


def test_every_phrase_of_the_index_is_found_as_it_is_written() -> None:
    for phrase, _ in written(rows()):
        text = phrase.replace(" ... ", " x ").replace(" && ", "\n").replace("*", "")
        assert explain(text).verdict != "unknown", phrase


def test_no_remedy_licenses_a_blind_retry() -> None:
    for paste in ALL:
        told = explain(paste.text).entry
        if told is not None and told.executed != "no" and "epeat" in told.remedy:
            assert "executing twice" in told.remedy, paste.name


def test_another_cause_than_the_race_names_no_keep_alive_as_its_hop() -> None:
    for paste in ALL:
        told = explain(paste.text).entry
        if told is not None and told.verdict not in ("race", "died"):
            assert "keep-alive" not in told.hop, paste.name


def test_people_are_told_the_verdict_and_whether_it_was_executed() -> None:
    told = str(explain("503 UC"))
    assert "verdict: race (" in told
    assert "executed: unknown (nobody can know from this text" in told
    assert "no line proves nothing" in told and "probably" not in told
    assert "what to do" in told and "sources" in told


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("503 UF,URX", "this try"),
        ("503 UH", "this try"),
        ("no healthy upstream", "this try"),
        ("web/s1 0/0/-1/-1/3 503 217 - - SC-- 1/1/0/0/2 0/0", "this try"),
        ("connect() failed (111) while connecting to upstream", "this try"),
        ("java.net.ConnectException: Connection refused", "this try"),
        ("NewConnectionError('Failed to establish a new connection')", "this try"),
        ("404 NR route_not_found", "request"),
        ("429 RL", "request"),
        ("web/<NOSRV> -1/-1/-1/-1/9 408 2 - - cR-- 1/1/0/0/0 0/0", "request"),
        ("503 UC", "request"),
    ],
)
def test_what_was_not_sent_is_told_of_this_try_where_one_can_have_gone_before(
    text: str, scope: str
) -> None:
    told = explain(text)
    assert told.as_dict()["scope"] == scope
    says = "an earlier try of the same request may have been executed"
    assert (says in told.as_dict()["executed_in_words"]) == (scope == "this try")
    assert (says in str(told)) == (scope == "this try")


@pytest.mark.parametrize(
    ("text", "hop"),
    [
        ("426 DPE low_version", "in front of it"),
        ("408 - request_overall_timeout", "in front of it"),
        ("web/<NOSRV> -1/-1/-1/-1/9 408 2 - - cR-- 1/1/0/0/0 0/0", "in front of it"),
        ("elb_status_code=460 target_status_code=-", "client to balancer"),
        ("http: TLS handshake error from 10.0.0.1:5: EOF", "in front of it"),
        ("404 NR route_not_found", "Envoy itself"),
        ("429 RL", "Envoy itself"),
        ("503 FI", "Envoy itself"),
        ("403 UAEX", "Envoy itself"),
    ],
)
def test_the_hop_is_that_of_the_cause(text: str, hop: str) -> None:
    entry = explain(text).entry
    assert entry is not None and hop in entry.hop


@pytest.mark.parametrize("scheme", ["fastcgi", "uwsgi", "scgi"])
def test_no_keep_alive_is_blamed_where_nginx_keeps_no_connection(scheme: str) -> None:
    told = str(
        explain(
            "upstream prematurely closed connection while reading response header "
            f'from upstream, client: 10.0.0.1, upstream: "{scheme}://10.0.0.5:9000"'
        )
    )
    assert "keep-alive" not in told and "keepalive" not in told


def test_a_page_shows_the_same_and_escapes_it() -> None:
    told = explain("<b>503 UC</b>")
    assert "<b>" not in told._repr_markdown_()
    assert "**verdict**: race" in told._repr_markdown_()


def test_unknown_words_get_an_honest_answer() -> None:
    told = explain("the flux capacitor closed its connection")
    assert (told.entry, told.verdict, told.executed) == (None, "unknown", "unknown")
    assert "no entry" in str(told) and told.near
    assert not explain("GET /UC/list 200").near


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("Conection reset by pear", "connection reset by peer"),
        ("sokcet hang up", "socket hang up"),
    ],
)
def test_a_slip_finds_the_entry_that_was_meant(slip: str, meant: str) -> None:
    assert meant in explain(slip).near[0]


# -- programs and bad input ------------------------------------------------------------


def told_by(
    capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, list[str]]:
    status = main(["explain", *words])
    out, err = capsys.readouterr()
    return status, out, err.splitlines()


def test_the_command_prints_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = told_by(capsys, "--json", "503 UC")
    told = json.loads(out)
    assert (status, err) == (0, [])
    assert (told["verdict"], told["executed"]) == ("race", "unknown")
    wanted = {"text", "program", "hop", "cause", "remedy", "sources", "near"}
    assert {*wanted, "scope", "executed_in_words"} <= set(told)


def test_json_of_unknown_words_has_the_same_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, known, _ = told_by(capsys, "--json", "503 UC")
    status, out, _ = told_by(capsys, "--json", "flux", "capacitor")
    assert status == 1 and json.loads(out)["verdict"] == "unknown"
    assert json.loads(out).keys() == json.loads(known).keys()


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("Conection reset by pear", "connection reset by peer"),
        ("connection refusd", "connection refused"),
        (
            "upstream prematurly closed conection while reading response header",
            "upstream prematurely closed connection while reading response header",
        ),
        ("connection_terminaton", "connection_termination"),
        ("conection timed owt", "connection timed out"),
    ],
)
def test_a_slip_finds_the_words_that_were_meant(slip: str, meant: str) -> None:
    told = explain(slip)
    assert told.verdict == "unknown" and told.meant == meant
    assert str(told).endswith(f"did you mean: {meant}?")


@pytest.mark.parametrize("text", ["flux capacitor", "x" * 100_000, "reset", "é" * 119])
def test_other_words_are_taken_for_no_slip(text: str) -> None:
    assert explain(text).meant == ""


@pytest.mark.parametrize("status", ["502", "503", "504", "408", "499"])
def test_a_bare_status_says_what_it_can_and_where_to_look(status: str) -> None:
    told = explain(status)
    assert told.verdict in ("unclear", "client-left") and status in str(told)


@pytest.mark.parametrize("flags", ["504 UT", "503 UF"])
def test_what_is_not_the_race_does_not_name_the_races_hop(flags: str) -> None:
    assert "keep-alive" not in explain(flags).as_dict()["hop"]


def test_explain_is_found_at_the_top() -> None:
    assert labkit.explain is explain
    assert isinstance(labkit.explain("503 UC"), Explanation)


WRONG: list[tuple[object, str]] = [
    ("", "empty"),
    (" \n\t ", "empty"),
    (None, "the text is None"),
    (503, "the text is 503"),
    (b"503 UC", "the text is b"),
    (["503 UC"], "the text is "),
    ("x" * 1_000_001, "1000001 characters; allowed: 1000000"),
    ("\x00\x01\x02", "binary"),
    ("\udcff\udcfe UC", "binary"),
    ("".join(map(chr, range(1, 32))), "binary"),
]


@pytest.mark.parametrize(("text", "words"), WRONG, ids=range(len(WRONG)))
def test_bad_input_gets_one_sentence(text: object, words: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)) as error:
        explain(text)  # type: ignore[arg-type]
    told = str(error.value)
    assert "allowed: " in told and "\n" not in told and len(told) < 200


@pytest.mark.parametrize("text", ["", "  ", "\udcff\udcfe", "\x01\x02"])
def test_bad_input_on_the_command_line_is_status_two(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([text], ["--json", text]):
        status, out, err = told_by(capsys, *words)
        assert (status, out, len(err)) == (2, "", 1)


@settings(max_examples=50)
@given(st.text(max_size=400))
def test_any_text_gets_an_answer_or_a_sentence(text: str) -> None:
    try:
        told = explain(text)
    except SettingsError as error:
        verdict, sentence = "unclear", str(error)
    else:
        verdict, sentence = told.verdict, "allowed: "
    assert verdict in VERDICTS and "allowed: " in sentence


PIECES = st.sampled_from(
    [*FLAGS, *LONG_NAMES, "503 ", '"', " ", "\n", "{", "}", ": ", "EOF", "SH--", "-1 "]
)


@settings(max_examples=50)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_heap_of_fields_gets_an_answer(text: str) -> None:
    if text.strip():
        assert explain(text).executed in EXECUTED


# -- long texts ------------------------------------------------------------------------

HOSTILE = [
    '"',
    " x",
    "[",
    "\\",
    "a",
    "1.2.3.4 - [[[[",
    'Get "',
    "503 ",
    ": EOF x",
    " while ",
    "0/0/0/0/0 ",
    "upstream_reset_before_response_started{",
    "disconnect/reset before headers ",
    "connection prematurely ",
    "response_flags: ",
    "elb_status_code=",
    "\x1b[31mx",
    "decode ",
    "gzip eof",
]


def spent(work: Callable[[], object]) -> float:
    """Seconds of the processor, the lesser of two."""
    seconds = []
    for _ in range(2):
        began = process_time()
        work()
        seconds.append(process_time() - began)
    return min(seconds)


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_text_16_times_as_long_takes_no_48_times_as_long(piece: str) -> None:
    """With the square of the length it would be 256 times."""
    short, long = ((piece * 80_000)[:letters] for letters in (5_000, 80_000))
    assert spent(lambda: explain(long)) < 48 * spent(lambda: explain(short))


def test_a_pasted_file_of_400000_letters_still_holds_its_failure() -> None:
    line = '"GET /a HTTP/1.1" 200 - via_upstream - "-" 0 12 3 2 "-" "curl"\n'
    failed = '"GET /b HTTP/1.1" 503 UC 0 95 0 - "-" "curl"\n'
    text = line * (400_000 // len(line)) + failed
    assert judged(text) == ("race", "unknown")

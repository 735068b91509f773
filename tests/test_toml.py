"""TOML from strangers: bounded before it is parsed, and never a traceback."""

import base64
import time
import tomllib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import Scenario, SettingsError, cli
from labkit.settings import toml


def dotted(dots: int, part: str = "a") -> str:
    return ".".join([part] * (dots + 1))


DEEP = {
    "a bare key": f"{dotted(2000)} = 1\n",
    "a quoted key": f"{dotted(2000, chr(34) + 'a' + chr(34))} = 1\n",
    "a key with blanks": f"{dotted(2000).replace('.', ' . ')} = 1\n",
    "a literal key": f"""{dotted(2000, "'a'")} = 1\n""",
    "a header": f"[{dotted(2000)}]\n",
    "a header of a list": f"[[{dotted(2000)}]]\n",
    "an inline table": f"x = {{ {dotted(2000)} = 1 }}\n",
    "after a string with quotes": f"x = 'it\"s'\n{dotted(2000)} = 1\n",
    "after a string that does not end": f'x = "abc\n{dotted(2000)} = 1\n',
    "after a comment": f"# it's\n{dotted(2000)} = 1\n",
    "after many lines": f'x = """\n\\""" "" {dotted(200)}"""\n{dotted(2000)} = 1\n',
}
NESTED = {
    "lists": f"x = {'[' * 5000}\n",
    "closed lists": f"x = {'[' * 400}{']' * 400}\n",
    "tables": f"x = {'{a = ' * 400}1{'}' * 400}\n",
    "both": f"x = {'[{a = ' * 200}1{'}]' * 200}\n",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_a_key_with_hundreds_of_dots_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="more than 100 dots; allowed: up to 100"):
        toml.parsed(text, "the text")


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED.keys())
def test_what_is_nested_by_dozens_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="nested more than 30 deep"):
        toml.parsed(text, "the text")


@pytest.mark.parametrize(
    "text",
    [
        f"x = '{dotted(500)}'\n",
        f'x = "{dotted(500)}"\n',
        f'x = """{dotted(500)}\n{dotted(500)}"""\n',
        f"x = 1 # {dotted(500)} [[[[\n",
        f"x = [{', '.join(['1.5'] * 500)}]\n",
        f"x = '''{'[' * 500}'''\n",
        f"{dotted(99)} = 1\n",
        f"x = {'[' * 29}1{']' * 29}\n",
    ],
)
def test_dots_and_brackets_elsewhere_are_nobodys_business(text: str) -> None:
    assert toml.parsed(text, "the text") == tomllib.loads(text)


def test_what_is_too_long_is_refused_unread() -> None:
    with pytest.raises(SettingsError, match="1,000,001 characters"):
        toml.parsed("#" * 1_000_001, "the text")


@given(st.text(st.sampled_from("ab.=[]{}\"'\\#\n ,1"), max_size=80))
def test_a_short_text_is_read_as_by_the_parser_or_refused_in_a_line(
    text: str,
) -> None:
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(SettingsError) as caught:
            toml.parsed(text, "the text")
        assert "\n" not in str(caught.value)
    else:
        assert toml.parsed(text, "the text") == expected


@pytest.mark.parametrize(
    "piece",
    ['"""', "'''", '\\"""', '"', "'", "#", '"\\', "a.", "[", "{a=", '"\n', 'x="""\\"'],
)
def test_looking_takes_as_long_as_the_text_not_its_square(piece: str) -> None:
    def seconds(times: int) -> float:
        """Of the processor: a busy machine makes nothing longer."""
        text = f"x = {piece * times}"
        began = time.process_time()
        with pytest.raises(SettingsError):
            toml.parsed(text, "the text")
        return time.process_time() - began

    long, short = (min(seconds(n) for _ in range(3)) for n in (80_000, 8_000))
    assert long < 40 * max(short, 0.001)


def test_a_strangers_token_is_refused_as_quickly() -> None:
    packed = zlib.compress(f"{dotted(40_000)} = 1\n".encode(), 9)
    raw = zlib.crc32(packed).to_bytes(4, "big") + packed
    token = "lk1-" + base64.urlsafe_b64encode(raw).decode().rstrip("=")
    with pytest.raises(SettingsError, match="dots"):
        Scenario.from_token(token)


@pytest.mark.parametrize(
    "words",
    [
        ["--set", f"traffic.gaps={'[' * 5000}"],
        ["--set", "seed=" + "9" * 5000],
        ["--set", f"traffic.methods={{ {dotted(3000)} = 1 }}"],
        ["--set", "seed=1\nname='x'"],
        ["--set", "=1"],
        ["--set", f"{dotted(3000)}=1"],
        ["--set", "seed=\ud800"],
    ],
)
def test_no_value_of_the_command_line_is_a_traceback(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "data/scenarios/safe.toml", *words]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1 and len(told.err) < 400


@pytest.mark.parametrize(
    "word",
    [
        "traffic.rate=1:5:" + "9" * 5000,
        "traffic.rate=0.1:10:59223372036854775808",
        "traffic.rate=1__0:5:3",
        "traffic.rate=1_:5:3",
        f"traffic.gaps={'[' * 5000}",
        f"traffic.rate={'9' * 5000},1",
        f"traffic.rate={'1.5' * 3000}",
    ],
)
def test_no_range_of_the_command_line_is_a_traceback(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["sweep", "data/scenarios/safe.toml", "--engine", "model"]
    assert cli.main([*command, "--vary", word]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1 and len(told.err) < 400


def test_a_file_without_an_end_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "/dev/zero"]) == 2
    assert "characters; allowed" in capsys.readouterr().err

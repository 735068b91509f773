"""Scenarios as text: TOML, dotted paths and tokens say the same thing."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.settings import (
    Hop,
    Pool,
    Retry,
    Scenario,
    SettingsError,
    knob_at,
    knobs,
)
from tests.scenarios import scenarios

SHIPPED = sorted((Path(__file__).parent.parent / "data" / "scenarios").glob("*.toml"))
TOKEN = Scenario(seed=7, hops=(Hop(name="alb"), Hop())).token()


def refused(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        Scenario.from_toml(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- TOML --------------------------------------------------------------------------


@given(scenarios)
def test_toml_reads_back_as_the_same_scenario(scenario: Scenario) -> None:
    text = scenario.to_toml()
    again = Scenario.from_toml(text)
    assert again == scenario
    assert again.to_toml() == text


@given(scenarios)
def test_a_table_reads_back_as_the_same_scenario(scenario: Scenario) -> None:
    table = scenario.to_dict()
    assert Scenario.from_dict(table) == scenario
    assert tomllib.loads(scenario.to_toml()) == table


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_scenario_that_we_ship_opens_with_what_it_shows(file: Path) -> None:
    scenario = Scenario.from_toml(file)
    assert file.read_text().startswith("# ")
    assert scenario.name
    assert Scenario.from_toml(str(file)) == scenario


def test_all_scenarios_of_the_contract_are_there() -> None:
    assert {file.stem for file in SHIPPED} >= {
        *("node-behind-alb", "alb-envoy-node", "safe"),
        *("mistuned-downstream", "mistuned-upstream"),
    }


def test_toml_holds_what_differs_from_the_defaults_and_nothing_else() -> None:
    retry = Pool(retry=Retry(retry_on=["reset"]))
    scenario = Scenario(seed=7, hops=(Hop(name="alb"), Hop(pool=retry)))
    assert scenario.to_toml() == (
        'seed = 7\n\n[[hop]]\nname = "alb"\n\n[[hop]]\n\n'
        '[hop.pool.retry]\nretry_on = ["reset"]\n'
    )


def test_whole_numbers_and_inf_are_seconds_too() -> None:
    scenario = Scenario.from_toml("[[hop]]\nserver = {idle_timeout = 5, tick = 0}\n")
    assert scenario.hops[0].server.idle_timeout == 5.0
    endless = Scenario.from_toml("[[hop]]\npool.idle_timeout = inf\n")
    assert endless.hops[0].pool.idle_timeout == float("inf")


def test_events_stand_under_lab() -> None:
    text = (
        '[[lab.schedule]]\nat = 3\npath = "hop.0.link.delay"\nvalue = 0.5\n'
        '[[lab.schedule]]\nat = 4\npath = "traffic.methods"\n'
        "value = {GET = 1, PUT = 2}\n"
    )
    scenario = Scenario.from_toml(text)
    assert [event.at for event in scenario.lab.schedule] == [3.0, 4.0]
    assert Scenario.from_toml(scenario.to_toml()) == scenario


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sede = 3\n", "sede is not a setting; did you mean seed?"),
        ("rate = 3\n", "rate is not a setting; did you mean traffic.rate?"),
        (
            "[traffic]\nrqeuests = 3\n",
            "traffic.rqeuests is not a setting; did you mean",
        ),
        (
            "[[hop]]\n[hop.sever]\n",
            "hop.0.sever is not a setting; did you mean hop.0.se",
        ),
        (
            "[[hop]]\ndelay = 1\n",
            "hop.0.delay is not a setting; did you mean hop.0.link",
        ),
        ("[zoo]\n", "zoo is not a setting; known here: name, seed, traffic, hop,"),
        ("hop = 3\n", "hop is 3; allowed: a list of tables"),
        ("hop = [3]\n", "hop.0 is 3; allowed: a table"),
        ("hop = []\n", "hops has 0 entries; allowed: a list of 1 to 100 Hops"),
        ("hop = [{}]\nhops = [{}]\n", "hops is given twice"),
        ("traffic = 3\n", "traffic is 3; allowed: a table"),
        ("[traffic]\nrate = nan\n", "traffic.rate is nan; allowed: more than 0"),
        ("[traffic]\nrate = 2020-01-01\n", "traffic.rate is datetime.date(2020, 1, 1)"),
        (
            "[[hop]]\n[[hop]]\npool.retry.num_retries = -1\n",
            "hop.1.pool.retry.num_retr",
        ),
        (
            "[[hop]]\nserver.idle_timeout = -2\n",
            "hop.0.server.idle_timeout is -2; allo",
        ),
        ("[[lab.schedule]]\nat = -2\n", "lab.schedule.0.at is -2; allowed: 0 to"),
        ("seed = \n", "the text is not TOML: Invalid value (at line 1, column 8)"),
        ("a = 1\na = 2\n", "the text is not TOML: Cannot overwrite a value (at line 2"),
        (
            f"a = {'[' * 5000}\n",
            "the text is nested more than 30 deep; allowed: up to 30",
        ),
        (f"seed = {'9' * 5000}\n", "the text holds a number of thousands of digits"),
        ("no-such-file.toml", "cannot read no-such-file.toml: no such file"),
        ("", "cannot read .: is a directory"),
        ("a\0b", "cannot read 'a\\x00b': no file has this name"),
    ],
)
def test_what_is_wrong_with_a_text_is_told_in_one_sentence(
    text: str, told: str
) -> None:
    assert refused(text).startswith(told)


@given(st.text(max_size=200))
def test_a_wrong_key_is_told_on_one_short_line_whatever_it_holds(key: str) -> None:
    with pytest.raises(SettingsError, match="is not a setting") as caught:
        Scenario.from_dict({f"~{key}": 3})
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 200


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    assert refused(str(tmp_path / "x.toml")).endswith("it is not UTF-8 text")


def test_an_editor_may_begin_the_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("seed = 3\r\n", encoding="utf-8-sig")
    assert Scenario.from_toml(tmp_path / "x.toml").seed == 3


# -- dotted paths ------------------------------------------------------------------


def test_python_says_hops_and_toml_says_hop() -> None:
    turned = Scenario().replace("hops.0.link.delay", 0.5)
    assert turned.get("hop.0.link.delay") == turned.get("hops.0.link.delay") == 0.5
    assert turned.get("hops") == turned.hops


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("hop.1.link.delay", "hop.1 does not exist; allowed are the numbers 0 to 0"),
        ("hop.x.link.delay", "hop.x does not exist; allowed are the numbers 0 to 0"),
        ("hop.²", "hop.² does not exist; allowed are the numbers 0 to 0"),
        ("lab.schedule.0.at", "lab.schedule.0 does not exist; there is none"),
        ("origin.script.x", "origin.script.x is not a setting; origin.script is"),
        ("origin.scirpt", "origin.scirpt is not a setting; did you mean origin.scr"),
        ("hop.0.idle_timeout", "hop.0.idle_timeout is not a setting; did you mean "
         "hop.0.pool.idle_timeout or hop.0.server.idle_timeout?"),
        ("hop.0.link", "hop.0.link is a group of settings; name one of them"),
        ("hop.0", "hop.0 is a group of settings; name one of them"),
        ("", "the empty path is not a setting"),
    ],
)  # fmt: skip
def test_a_path_that_leads_nowhere_is_told(path: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Scenario().replace(path, 1.0)
    assert str(caught.value).startswith(told)


@given(scenarios)
def test_every_knob_can_be_read_and_is_documented(scenario: Scenario) -> None:
    for each in knobs(len(scenario.hops)):
        value = scenario.get(each.path)
        assert each.kind.accept(value) == value
        assert each.doc and each.allowed


@pytest.mark.parametrize("knob", knobs(2), ids=lambda knob: knob.path)
def test_a_knob_knows_its_default(knob) -> None:  # type: ignore[no-untyped-def]
    assert Scenario(hops=(Hop(), Hop())).get(knob.path) == knob.default
    assert knob_at(knob.path) == knob


def test_a_knob_tells_its_unit_and_range() -> None:
    knob = knob_at("hops.3.server.idle_timeout")
    assert (knob.path, knob.unit) == ("hop.3.server.idle_timeout", "s")
    assert knob.allowed == "0 to 1e+09 seconds, or inf for no limit"
    with pytest.raises(SettingsError, match=r"did you mean hop\.3\.server\.idle_time"):
        knob_at("hop.3.server.idle_timeot")


# -- tokens ------------------------------------------------------------------------


@given(scenarios)
def test_a_token_opens_as_the_same_scenario(scenario: Scenario) -> None:
    token = scenario.token()
    assert Scenario.from_token(token) == scenario
    assert set(token) <= set(TOKEN_LETTERS)


TOKEN_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"


def test_a_token_survives_a_mail_program() -> None:
    broken = f" {TOKEN[:20]}\n  {TOKEN[20:]} \r\n"
    assert Scenario.from_token(broken) == Scenario.from_token(TOKEN)


@given(st.integers(4, len(TOKEN) - 2), st.sampled_from(TOKEN_LETTERS))
def test_one_wrong_letter_in_a_token_is_noticed(place: int, letter: str) -> None:
    damaged = TOKEN[:place] + letter + TOKEN[place + 1 :]
    if damaged != TOKEN:
        with pytest.raises(SettingsError, match="the token is damaged"):
            Scenario.from_token(damaged)


@given(st.integers(4, len(TOKEN) - 1))
def test_a_token_cut_short_is_noticed(length: int) -> None:
    with pytest.raises(SettingsError, match="the token is damaged"):
        Scenario.from_token(TOKEN[:length])


@pytest.mark.parametrize("text", ["", "hello", "lk2-abc", "x" * 500])
def test_what_is_no_token_is_told(text: str) -> None:
    with pytest.raises(SettingsError, match="is not a token of this version") as caught:
        Scenario.from_token(text)
    assert len(str(caught.value)) < 200


@given(st.text(max_size=30))
def test_any_text_after_the_mark_is_damage(text: str) -> None:
    with pytest.raises(SettingsError):
        Scenario.from_token(f"lk1-{text}")

"""What a real program cannot express is refused by name, before anything starts."""

from pathlib import Path

import pytest

import labkit
from labkit import Hop, Pool, Scenario, Server, SettingsError
from labkit.proxies import PROGRAMS, chosen
from labkit.proxies.table import table
from labkit.settings import Event, LabSettings, Retry
from labkit.settings.fields import entries

CHAIN = Scenario(hops=(Hop(), Hop()))
LONG = Scenario(hops=(Hop(), Hop(), Hop()))


def refused(scenario: Scenario, proxy: str, engine: str = "live") -> str:
    with pytest.raises(SettingsError) as error:
        labkit.run(scenario, engine=engine, proxy=proxy, progress=False)
    return str(error.value)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_knob_of_a_proxy_has_its_word_or_its_refusal(name: str) -> None:
    program = PROGRAMS[name]
    knobs = {
        "server": (Server, program.server),
        "pool": (Pool, program.pool),
        "retry": (Retry, program.retry),
    }
    for section, words in knobs.values():
        wanted = {n for n, f in entries(section).items() if "kind" in f.metadata}
        assert set(words) == wanted


def test_the_page_on_real_proxies_shows_the_table_of_knobs() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "proxies.md"
    assert table() in page.read_text()


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_nobody_wrote_is_refused_by_no_program(name: str) -> None:
    assert chosen(name, CHAIN, "live") == (name,)
    assert chosen(name, LONG, "live") == (name, name)


def test_the_knobs_at_the_ends_of_the_chain_stay_ours() -> None:
    ends = CHAIN.replace_all(
        {"hop.0.pool.reuse": "fifo", "hop.1.server.farewell": "rst"}
    )
    assert chosen("envoy", ends, "live") == ("envoy",)


def test_a_mixed_chain_is_checked_proxy_by_proxy() -> None:
    fifo = LONG.replace("hop.1.pool.reuse", "fifo")
    assert chosen("labkit,envoy", fifo, "live") == ("labkit", "envoy")
    assert "hop.1.pool.reuse" in refused(fifo, "envoy,labkit")


def test_a_real_proxy_needs_real_sockets() -> None:
    told = refused(CHAIN, "envoy", engine="virtual")
    assert "proxy is 'envoy' on the virtual engine" in told and '"live"' in told


def test_a_chain_without_a_proxy_has_no_place_for_one() -> None:
    assert "the chain has no proxy" in refused(Scenario(), "envoy")


def test_a_list_of_proxies_is_as_long_as_the_chain_wants() -> None:
    assert "the chain has 2 proxies" in refused(LONG, "envoy,envoy,envoy")
    assert "the chain has one proxy" in refused(CHAIN, "envoy,envoy")


def test_an_unknown_program_is_named_with_those_that_there_are() -> None:
    told = refused(CHAIN, "squid")
    assert "'squid'" in told and all(name in told for name in PROGRAMS)


def test_a_schedule_cannot_turn_what_a_program_was_started_with() -> None:
    turn = Event(at=1.0, path="hop.1.pool.idle_timeout", value=2.0)
    scheduled = Scenario(hops=CHAIN.hops, lab=LabSettings(schedule=(turn,)))
    assert "lab.schedule.0.path is" in refused(scheduled, "envoy")
    ours = Event(at=1.0, path="hop.1.server.idle_timeout", value=2.0)
    allowed = Scenario(hops=CHAIN.hops, lab=LabSettings(schedule=(ours,)))
    assert chosen("envoy", allowed, "live") == ("envoy",)


@pytest.mark.parametrize("action", ["drain", "deploy"])
def test_a_schedule_cannot_drain_or_replace_a_real_program(action: str) -> None:
    def scheduled(path: str) -> Scenario:
        event = Event(at=1.0, action=action, path=path)
        return Scenario(hops=CHAIN.hops, lab=LabSettings(schedule=(event,)))

    assert "lab.schedule.0.path is" in refused(scheduled("hop.0"), "envoy")
    assert chosen("envoy", scheduled("hop.1"), "live") == ("envoy",)

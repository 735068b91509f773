"""From lines to gaps: order, overlap, coarse stamps, and what is told about them."""

import gzip
import json
import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labkit
from labkit import Scenario, accesslogs
from labkit.accesslogs import AccessLog, LogError
from tests.accesslogs.facts import ROOT, samples

FOLDER = ROOT / "data" / "access-logs"
LOST = samples.LOST_AFTER


def envoy(*requests: tuple[float, int], upstream: str = "a:1") -> list[str]:
    """Lines of requests, each from a second of the hour on for so many ms."""
    return [
        json.dumps(
            {
                "start_time": f"2026-03-02T09:{int(at // 60):02}:{at % 60:06.3f}Z",
                "duration": took,
                "method": "GET",
                "response_code": 200,
                "upstream_host": upstream,
            }
        )
        for at, took in requests
    ]


def nginx(*seconds: int, zone: str = "+0000", hour: int = 9) -> list[str]:
    return [
        f"10.0.0.1 - - [02/Mar/2026:{hour:02}:{s // 60:02}:{s % 60:02} {zone}] "
        '"GET / HTTP/1.1" 200 2 "-" "-"'
        for s in seconds
    ]


def exact(lines: list[str], per_upstream: bool = False) -> tuple[float, ...]:
    return accesslogs.parse(lines).gaps(spread=False, per_upstream=per_upstream)


# -- gaps ------------------------------------------------------------------------------


def test_a_gap_runs_from_the_end_of_a_request_to_the_start_of_the_next() -> None:
    assert exact(envoy((0.0, 250), (1.0, 500), (4.0, 0))) == (0.75, 2.5)


def test_a_request_that_overlaps_takes_another_connection_of_a_lifo_pool() -> None:
    # 0 to 5 on one connection, 1 to 2 on a second one, which 3 takes again; 7 takes
    # the one that came back last.
    lines = envoy((0.0, 5000), (1.0, 1000), (3.0, 500), (7.0, 0))
    assert exact(lines) == (1.0, 2.0)


def test_each_upstream_has_a_pool_of_its_own_if_asked_for() -> None:
    lines = [*envoy((0.0, 0), (4.0, 0)), *envoy((1.0, 0), (6.0, 0), upstream="b:1")]
    assert exact(lines) == (1.0, 3.0, 2.0)
    assert exact(lines, per_upstream=True) == (4.0, 5.0)
    log = accesslogs.parse(lines)
    assert log.only(upstream="b:1").gaps(spread=False) == (5.0,)
    assert any("2 upstreams" in note for note in log.notes)


def test_the_lost_requests_of_the_samples_are_those_after_a_gap_in_the_window() -> None:
    for form in ("envoy-json", "envoy-text", "alb"):
        log = accesslogs.read(FOLDER / f"{form}.log")
        raced = sum(LOST[0] < gap < LOST[1] for gap in log.gaps(per_upstream=True))
        assert raced == log.statuses[503] + log.statuses[502] == 3


@given(st.lists(st.integers(0, 10**7), min_size=2), st.integers(0, 2**32))
def test_spreading_moves_a_gap_by_the_grain_at_most(
    microseconds: list[int], seed: int
) -> None:
    facts = [
        samples.Fact(0, 10**15 + at, 0, "GET", "/", 200, 0, "a:1", "b:1")
        for at in microseconds
    ]
    for form, most in (("alb", 2e-6), ("envoy-text", 2e-3), ("nginx-combined", 1.0)):
        log = accesslogs.parse(map(samples.WRITERS[form], facts))
        pairs = zip(log.gaps(seed=seed), log.gaps(spread=False), strict=True)
        assert all(gap >= 0 and abs(gap - told) <= most + 1e-6 for gap, told in pairs)


def test_stamps_to_the_second_meet_a_narrow_window_only_when_spread() -> None:
    log = accesslogs.parse(nginx(*range(0, 3600, 5)))
    assert set(log.gaps(spread=False)) == {5.0}
    share = sum(4.98 < gap < 5.0 for gap in log.gaps()) / len(log.gaps())
    # The two moments are even in their seconds: the density of their distance has
    # its peak, 1 a second, at 5 s.
    assert 0.005 < share < 0.04
    assert any("drawn by chance" in note for note in log.notes)


def test_the_same_seed_spreads_the_same_way_and_another_one_otherwise() -> None:
    log = accesslogs.parse(nginx(1, 1, 1, 4))
    assert log.gaps() == log.gaps() != log.gaps(seed=1)
    assert all(gap <= 1.0 for gap in log.gaps()[:2])


# -- order and clocks ------------------------------------------------------------------


def test_lines_out_of_order_are_sorted_and_told() -> None:
    log = accesslogs.parse(envoy((1.0, 100), (0.5, 900), (2.0, 0)))
    assert log.times == (0.0, 0.5, 1.5)
    assert log.notes[0].startswith("1 lines began before one above them")


def test_a_clock_that_is_set_back_is_told_by_line() -> None:
    log = accesslogs.parse([*envoy((600.0, 0)), *envoy((0.0, 0))])
    assert log.notes[0].startswith("line 2 ends 10 min before the line above it")
    assert log.times == (0.0, 600.0)


def test_time_zones_mix() -> None:
    lines = [
        *nginx(0),
        *nginx(5, zone="+0200", hour=11),
        *nginx(7, zone="-0900", hour=0),
    ]
    assert accesslogs.parse(lines).times == (0.0, 5.0, 7.0)
    east = '{"start_time": "2026-03-02T14:30:01.000+05:30"}'
    west = '{"start_time": "2026-03-02T01:00:02-0800"}'
    assert accesslogs.parse([east, west]).times == (0.0, 1.0)


# -- files -----------------------------------------------------------------------------


def test_a_packed_log_is_the_same_log(tmp_path: Path) -> None:
    plain = FOLDER / "envoy-text.log"
    packed = tmp_path / "any.name"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert accesslogs.read(packed).entries == accesslogs.read(plain).entries


def test_a_packed_log_that_breaks_off_says_after_how_many_lines(tmp_path: Path) -> None:
    packed = tmp_path / "cut.gz"
    whole = gzip.compress((FOLDER / "envoy-text.log").read_bytes())
    packed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LogError, match=r"cut.gz, line \d+: the gzip file breaks off"):
        accesslogs.read(packed)


@pytest.mark.parametrize("content", [b"", b"\n \r\n\n", gzip.compress(b"", mtime=0)])
def test_an_empty_log_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.log"
    path.write_bytes(content)
    with pytest.raises(LogError, match=r"empty.log: the log is empty"):
        accesslogs.read(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="there is no such file"):
        accesslogs.read(tmp_path / "nowhere.log")
    with pytest.raises(LogError, match="directory"):
        accesslogs.read(tmp_path)


def test_windows_line_ends_a_mark_of_the_byte_order_and_odd_bytes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "odd.log"
    lines = "\r\n".join(envoy((0.0, 1), (1.0, 1)))
    odd = lines.replace('"GET"', '"GET", "path": "/\xff"', 1)
    path.write_bytes(b"\xef\xbb\xbf" + odd.encode("latin-1") + b"\r\n")
    with pytest.raises(LogError, match="line 1: no JSON object"):
        accesslogs.read(path)
    path.write_bytes(b"\xef\xbb\xbf" + lines.encode() + b"\r\n")
    assert len(accesslogs.read(path)) == 2


def test_broken_lines_are_left_out_and_told_if_asked_for() -> None:
    lines = [*envoy((0.0, 0)), '{"start_t', *envoy((3.0, 0))]
    with pytest.raises(LogError, match="the log, line 2: "):
        accesslogs.parse(lines)
    log = accesslogs.parse(lines, skip=True)
    assert log.gaps(spread=False) == (3.0,)
    assert log.notes[0].startswith("1 lines left out (line 2: no JSON object")
    with pytest.raises(LogError, match="the log, line 1: "):
        accesslogs.parse(lines[1:2], skip=True)


# -- sums and words --------------------------------------------------------------------


def test_the_log_counts_what_is_in_it() -> None:
    log = accesslogs.read(FOLDER / "envoy-json.log")
    facts = list(samples.facts())
    assert log.methods == Counter(fact.method for fact in facts)
    assert log.upstreams == Counter(fact.upstream for fact in facts)
    assert log.flags == {"UC": 3}
    assert log.rate == pytest.approx(299 / log.span)
    assert log.durations[0] == pytest.approx(facts[0].duration / 1e6, abs=1e-3)
    assert "300 requests from 2026-03-02 09:00:00 UTC on" in log.summary()


def test_one_request_has_neither_rate_nor_gap() -> None:
    log = accesslogs.parse(envoy((0.0, 5)))
    assert math.isnan(log.rate) and log.gaps() == ()
    assert "1 request " in repr(log)
    with pytest.raises(ValueError, match="1 requests and no gap between them"):
        log.traffic()


def test_a_duration_that_was_not_logged_is_told() -> None:
    log = accesslogs.parse(['{"start_time": "2026-03-02T09:00:00Z"}'])
    assert math.isnan(log.durations[0])
    assert log.notes == ("1 of 1 requests have no duration: taken as 0",)


def test_only_names_the_upstreams_that_there_are() -> None:
    log = accesslogs.read(FOLDER / "alb.log")
    assert len(log.only(client="192.0.2.10")) < len(log)
    with pytest.raises(ValueError, match=r"the log has: 10.1.0.4:8080, 10.1.0.5:8080"):
        log.only(upstream="10.1.0.6:8080")


# -- traffic ---------------------------------------------------------------------------


def test_the_lab_sends_the_logs_gaps_in_their_order() -> None:
    traffic = accesslogs.parse(envoy((0.0, 0), (1.5, 0), (4.0, 0))).traffic(
        spread=False
    )
    assert (traffic.arrivals, traffic.requests) == ("gaps", 3)
    run = labkit.run(Scenario(traffic=traffic), progress=False)
    sent = [each.sent for each in run.exchanges]
    assert [b - a for a, b in pairwise(sent)] == pytest.approx([1.5, 2.5])


def test_a_logged_chain_fails_in_the_lab_as_often_as_its_log_says() -> None:
    log = accesslogs.read(FOLDER / "envoy-text.log")
    scenario = Scenario.from_dict(
        {
            "hop": [{}, {"server": {"idle_timeout": 5.0}, "link": {"delay": 0.05}}],
            "origin": {"service_time": 0.004},
        }
    )
    scenario = scenario.replace_all(
        {
            "traffic.arrivals": "gaps",
            "traffic.gaps": log.gaps(per_upstream=True),
            "traffic.requests": 297,
        }
    )
    assert labkit.run(scenario, progress=False).failed == log.flags["UC"]


def test_the_room_is_at_hand_without_an_import_of_its_own() -> None:
    assert labkit.accesslogs.AccessLog is AccessLog


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bytes(10_000_000), "line 1: a line of more than 65,536 characters"),
        (b"\n" * 200_000, "line 100001: more than 100,000 empty lines"),
    ],
)
def test_what_unpacks_to_no_end_is_refused_at_its_beginning(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "bomb.gz"
    file.write_bytes(gzip.compress(content))
    with pytest.raises(LogError, match=reason):
        accesslogs.read(file, "nginx-combined")


def test_a_line_that_is_too_long_is_left_out_like_others(tmp_path: Path) -> None:
    whole = samples.text("nginx-combined").splitlines()[0]
    file = tmp_path / "access.log"
    file.write_text("\n".join([whole, "x" * 300_000, whole]))
    log = accesslogs.read(file, skip=True)
    assert len(log) == 2
    assert "1 lines left out (line 2: a line of more than 65,536" in log.summary()

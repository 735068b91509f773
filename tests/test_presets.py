"""Products by name: the table is sound, and its figures become settings of a hop."""

import csv
import math
from dataclasses import replace
from functools import partial
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import Hop, Scenario, SettingsError, theory
from labkit.parameters import KNOBS
from labkit.places import data
from labkit.presets import (
    Default,
    defaults,
    end,
    for_panel,
    idle,
    pair,
    preset,
    presets,
    products,
)
from labkit.versions import ranges

COLUMNS = [
    *("name", "version", "side", "parameter", "seconds", "announces_close"),
    *("auto_retry", "source", "verified", "note"),
]
ROWS = defaults()
CHAIN = Scenario(hops=(Hop(), Hop()))


# -- the table -------------------------------------------------------------------------


def test_the_table_has_the_columns_that_its_page_names() -> None:
    with data("default-timeouts.csv").open(newline="", encoding="utf-8") as table:
        rows = list(csv.reader(table))
    assert rows[0] == COLUMNS and len(rows) == 1 + 138
    assert {len(row) for row in rows} == {len(COLUMNS)}
    page = (Path(data("README.md"))).read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in COLUMNS)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_is_complete(row: Default) -> None:
    assert row.side in ("client", "server")
    assert all((row.name, row.version, row.parameter, row.source))
    assert 0 <= row.seconds <= 86_400 or row.seconds == math.inf
    first = row.announces_close.split(":")[0]
    kinds = {"n/a", "no", "hint", "cap", "hint+cap", "always", "unknown"}
    assert first in (kinds if row.side == "server" else {"n/a"})
    assert row.auto_retry.split(":")[0] in {
        *("no", "n/a", "unknown", "config", "idempotent", "safe", "any-method"),
        "unsent-only",
    }


def test_no_row_is_there_twice() -> None:
    keys = [(row.name, row.version, row.side, row.parameter) for row in ROWS]
    assert len(set(keys)) == len(keys)


# -- look-up ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "side", "seconds"),
    [
        ("AWS ALB", "client", 60.0),
        ("aws alb", "server", 60.0),
        ("Node.js http.Server", "server", 6.0),
        ("nginx", "client", 60.0),
        ("nginx", "server", 75.0),
        ("ingress-nginx", "client", 60.0),
        ("Envoy", "client", 3600.0),
        ("gunicorn gthread", "server", 2.0),
        ("gunicorn (sync worker)", "server", 0.0),
        ("Python requests", "client", math.inf),
        ("Go net/http Server", "server", math.inf),
        ("kestrel", "server", 130.0),
    ],
)
def test_a_product_is_found_by_name_and_side(
    product: str, side: str, seconds: float
) -> None:
    assert idle(product, side).seconds == seconds


def test_an_older_version_is_found_by_its_number() -> None:
    assert idle("Puma", "server").seconds == 65.0
    assert idle("Puma", "server", version="5.x").seconds == 20.0


@pytest.mark.parametrize(
    ("product", "side", "version", "seconds"),
    [
        *(("Node.js http.Server", "server", v, 5.0) for v in ("18.20.8", "20.17.0")),
        *(
            ("Node.js http.Server", "server", v, 5.0)
            for v in ("20.2", "22.8.0", "22.0")
        ),
        *(("Node.js http.Server", "server", v, 6.0) for v in ("20.18.0", "20.20.2")),
        *(
            ("Node.js http.Server", "server", v, 6.0)
            for v in ("22.9.0", "v24.11", "26")
        ),
        ("Node.js http.Server", "server", "main branch", 66.0),
        ("Node.js http.globalAgent", "client", "18.20.8", 0.0),
        ("nginx", "client", "1.29.6", 0.0),
        ("nginx", "client", "1.29.7", 60.0),
        ("nginx", "client", "1.31", 60.0),
        ("Puma", "server", "6.6.1", 20.0),
        ("Puma", "server", "7.1", 65.0),
        ("Java HttpClient", "client", "JDK 17", 1200.0),
        ("Java HttpClient", "client", "21", 30.0),
        ("libcurl", "client", "7.88.1", 118.0),
        ("Varnish", "server", "7.5", 5.0),
        ("AWS ALB", "client", "docs 2026", 60.0),
    ],
)
def test_a_version_is_in_a_range_or_not(
    product: str, side: str, version: str, seconds: float
) -> None:
    assert idle(product, side, version=version).seconds == seconds


@pytest.mark.parametrize(("line", "since"), [("20", "20.18"), ("22", "22.9")])
def test_a_line_of_versions_stands_for_its_newest(line: str, since: str) -> None:
    server = partial(idle, "Node.js http.Server", "server")
    assert server(version=line) == server(version=since) != server(version=f"{line}.0")


@pytest.mark.parametrize("version", ["2", "21", "26.99", "x", "", "6", 20])
def test_a_version_that_no_row_is_about_gets_one_sentence(version: Any) -> None:
    with pytest.raises(SettingsError, match=r"version is .*(20\.18|allowed)") as error:
        idle("Node.js http.Server", "server", version=version)
    assert "\n" not in str(error.value)


def test_no_two_rows_of_a_product_are_about_the_same_version() -> None:
    idles = [row for row in ROWS if row.knob == "idle_timeout"]
    for one, two in combinations(idles, 2):
        if (one.name, one.side) == (two.name, two.side):
            pairs = product(ranges(one.version), ranges(two.version))
            assert not any(a.overlaps(b) for a, b in pairs), (str(one), str(two))


def test_every_parameter_of_the_table_is_classified_and_no_other() -> None:
    assert {row.parameter for row in ROWS} == set(KNOBS)


def test_an_unknown_parameter_is_no_idle_timeout() -> None:
    row = replace(ROWS[0], parameter="server.requestTimeout")
    assert ROWS[0].knob == "idle_timeout" and row.knob is None


def test_what_is_retried_unsent_only_is_not_called_any_method() -> None:
    rows = [row for row in ROWS if "reset-before-request" in row.auto_retry]
    assert rows
    assert {row.auto_retry.split(":")[0] for row in rows} <= {"unsent-only", "no"}


def test_istios_retry_of_a_503_ended_with_1_24() -> None:
    old, new = (
        idle("Istio (outbound cluster)", "client", version=each)
        for each in ("1.23.4", "1.24.0")
    )
    assert "503" in old.auto_retry and "503" not in new.auto_retry


@pytest.mark.parametrize("side", ["client", "server"])
def test_every_product_is_found_by_its_full_name(side: str) -> None:
    names = products(side)
    assert len(names) > 40
    assert [idle(name, side).name for name in names] == names


def test_lifetimes_counts_and_middleboxes_are_no_idle_timeouts() -> None:
    for name in ("AWS NLB", "Azure Load Balancer"):
        assert any(name in row.name and row.knob is None for row in ROWS)
        for side in ("client", "server"):
            assert not any(name in each for each in products(side))
            with pytest.raises(SettingsError):
                idle(name, side)
    with pytest.raises(SettingsError):
        idle("HAProxy", "client")
    assert idle("libcurl", "client").seconds == 118.0


@pytest.mark.parametrize(
    ("product", "side", "told"),
    [
        ("AWS ELB", "client", '"AWS ALB (targets)"'),
        ("Gunicron", "server", '"gunicorn (sync worker)"'),
        ("Envoi", "client", '"Envoy (upstream)"'),
        ("Node", "client", '"Node.js http.globalAgent"'),
        ("", "server", "nearest: "),
        ("\N{SNOWMAN}", "server", "nearest: "),
    ],
)
def test_an_unknown_or_doubtful_product_is_told_with_names(
    product: str, side: str, told: str
) -> None:
    with pytest.raises(SettingsError) as error:
        idle(product, side)
    assert told in str(error.value)


def test_a_side_is_a_client_or_a_server() -> None:
    with pytest.raises(SettingsError, match='side is "proxy"; allowed: "client"'):
        idle("nginx", "proxy")


@given(st.text(max_size=30))
def test_any_words_find_a_product_or_a_sentence(words: str) -> None:
    try:
        told = str(idle(words, "server"))
    except SettingsError as error:
        told = str(error)
    assert told.isprintable() or not words.isprintable()
    assert "\n" not in told


# -- settings --------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_row_with_a_knob_is_a_value_that_the_knob_accepts(row: Default) -> None:
    if row.knob is None:
        return
    part = {"client": "pool", "server": "server"}[row.side]
    path = f"hop.0.{part}.{row.knob}"
    assert CHAIN.replace(path, row.seconds).get(path) == row.seconds
    if row.knob == "idle_timeout":
        assert CHAIN.replace_all(end(row, 1)).hops[1] != Hop(name="x")


def test_node_behind_an_alb_races_for_54_seconds() -> None:
    chain = CHAIN.replace_all(pair("AWS ALB", "Node.js http.Server").changes(0))
    assert theory.margin(chain.hops[0]) == -54.0
    assert chain.hops[0].server.hint


def test_envoy_brings_its_drain_and_its_delayed_close() -> None:
    chain = CHAIN.replace_all(pair("AWS ALB", "Envoy").changes(0))
    server = chain.hops[0].server
    assert (server.drain_timeout, server.delayed_close_timeout) == (5.0, 1.0)
    assert theory.margin(chain.hops[0]) == 3600 + 5 - 60


def test_a_server_without_keep_alive_answers_once_and_says_so() -> None:
    chain = CHAIN.replace_all(pair("nginx", "gunicorn (sync worker)").changes(1))
    server = chain.hops[1].server
    assert (server.max_requests_per_connection, server.announce) == (1, True)


def test_a_preset_is_named_by_its_figures_and_keeps_its_sources() -> None:
    alb = preset("AWS ALB 60 s before Node.js http.Server 6 s")
    assert alb.changes(0)["hop.0.pool.idle_timeout"] == 60.0
    assert all("aws.amazon.com" in s or "node" in s for s in alb.sources)
    assert len(presets()) == len(set(presets())) == 15


def test_a_panel_takes_every_preset_on_either_hop() -> None:
    for hop in (0, 1):
        for changes in for_panel(hop).values():
            assert CHAIN.replace_all(changes) != CHAIN


def test_the_presets_hold_safe_pairs_and_unsafe_ones() -> None:
    margins = {
        name: theory.margin(CHAIN.replace_all(each.changes(0)).hops[0])
        for name, each in presets().items()
    }
    assert min(margins.values()) < 0 < max(margins.values())


def test_an_unknown_preset_is_told_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"nearest: .*AWS ALB 60 s before"):
        preset("AWS ALB before Node.js")

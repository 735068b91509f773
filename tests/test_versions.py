"""Versions as ranges, as the table of default timeouts writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.versions import Range, ranges, version


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("20.17.0", (20, 17, 0)),
        ("v20.17", (20, 17)),
        ("20", (20,)),
        ("20.x", (20,)),
        ("JDK 17", (17,)),
        (".NET 8", (8,)),
        ("1.31.0-rc.0", (1, 31, 0)),
        ("main", None),
        ("", None),
        ("20 or 22", None),
    ],
)
def test_one_version_is_its_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert version(text) == numbers


@pytest.mark.parametrize(
    ("text", "held", "not_held"),
    [
        (
            "20.0 - 20.17, 22.0 - 22.8",
            ["20.17.5", "22.8.0", "20"],
            ["20.18", "21", "2"],
        ),
        ("<= 1.29.6", ["1.29.6", "0.1", "1.2"], ["1.29.7", "2"]),
        ("1.24+ (1.23: off by default)", ["1.24.0", "1.31", "2"], ["1.23", "1.3.1"]),
        ("5.x - 6.6", ["5.0.1", "6.6.9", "6"], ["6.7", "4.9", "7"]),
        ("18-26", ["18.20.8", "26.99"], ["27", "17"]),
        ("8.0.0 (6.0-8.0 same)", ["8.0.0", "6.5", "7"], ["9", "5.9"]),
        ("8.21 (since 7.65.0)", ["7.65.0", "8.21", "8.30"], ["7.64"]),
        ("26.1 / 27.0.1", ["26.1.2", "27.0.1"], ["26.2", "27.1"]),
        ("pkg-oss 1.28.3-1, 1.29.8-1", ["1.28.3", "1.29.8"], ["1", "1.30"][1:]),
    ],
)
def test_a_range_holds_what_begins_like_its_ends(
    text: str, held: list[str], not_held: list[str]
) -> None:
    def holds(asked: str) -> bool:
        numbers = version(asked)
        assert numbers is not None
        return any(each.meets(numbers) for each in ranges(text))

    assert [each for each in held if not holds(each)] == []
    assert [each for each in not_held if holds(each)] == []


@pytest.mark.parametrize(
    "text", ["service, docs 2026", "main branch, after 26.12", "smithy @ 6815d3e", ""]
)
def test_documents_and_branches_have_no_versions(text: str) -> None:
    assert ranges(text) == ()


NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=3).map(tuple)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_ranges_that_hold_one_version_overlap(
    low: tuple[int, ...],
    high: tuple[int, ...],
    other: tuple[int, ...],
    line: tuple[int, ...],
) -> None:
    one = Range(low, max(low, high))
    two = Range(other, None)
    exact = (*line, 0, 0, 0)
    assert one.overlaps(two) == two.overlaps(one)
    assert one.overlaps(two) or not (one.meets(exact) and two.meets(exact))


@given(st.text(max_size=60))
def test_any_text_is_read_without_a_traceback(text: str) -> None:
    for each in ranges(text):
        assert each.meets(each.lowest)
    assert version(text) is None or all(n >= 0 for n in version(text) or ())

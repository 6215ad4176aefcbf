"""Lengths of time as text, timedelta or seconds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.errors import BadInput, BadTime
from shike.trigger import Duration, format_duration, parse_duration


@pytest.mark.parametrize(
    ("length", "micros"),
    [
        ("10m", 600_000_000),
        ("1h30m", 5_400_000_000),
        ("1h 30m", 5_400_000_000),
        ("500ms", 500_000),
        ("1.5h", 5_400_000_000),
        ("0.1s", 100_000),
        ("2D", 172_800_000_000),
        ("1w", 604_800_000_000),
        ("7us", 7),
        ("0s", 0),
        (timedelta(minutes=5), 300_000_000),
        (90, 90_000_000),
        (0.25, 250_000),
    ],
)
def test_lengths_are_read_to_the_microsecond(length: Duration, micros: int) -> None:
    assert parse_duration(length) == micros


@pytest.mark.parametrize("length", ["", "10", "m", "1x", "1h5", "1 h m", "ten minutes", "1e3s", "1" * 101 + "s"])
def test_unreadable_text_is_bad_input_and_says_how_to_write_it(length: str) -> None:
    with pytest.raises(BadInput, match="1h30m"):
        parse_duration(length)


@pytest.mark.parametrize("length", [True, None, [], float("nan"), float("inf")])
def test_other_things_are_bad_input(length: Duration) -> None:
    with pytest.raises(BadInput):
        parse_duration(length)


@pytest.mark.parametrize("length", ["-5s", -1, timedelta(seconds=-1), "200000w"])
def test_a_length_is_neither_negative_nor_longer_than_a_century(length: Duration) -> None:
    with pytest.raises(BadTime):
        parse_duration(length)


@given(st.integers(0, 10**15))
def test_what_is_written_is_read_back(micros: int) -> None:
    assert parse_duration(format_duration(micros)) == micros

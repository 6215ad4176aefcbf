"""Times as people type them, on the machine's own wall clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shike.cli.output import seconds
from shike.cli.size import parse_size
from shike.cli.times import when
from shike.errors import BadSetting

NOW = datetime(2026, 11, 23, 9, 30, 15, tzinfo=UTC).astimezone()
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("now", NOW),
        ("today", MIDNIGHT),
        ("Tomorrow", MIDNIGHT + timedelta(days=1)),
        ("yesterday", MIDNIGHT - timedelta(days=1)),
        ("in 2h", NOW + timedelta(hours=2)),
        ("+90s", NOW + timedelta(seconds=90)),
        ("1h30m ago", NOW - timedelta(minutes=90)),
        ("09:05", MIDNIGHT + timedelta(hours=9, minutes=5)),
        ("9:05:07", MIDNIGHT + timedelta(hours=9, minutes=5, seconds=7)),
        ("2026-11-23", MIDNIGHT),
        ("2026-11-23 08:00", MIDNIGHT + timedelta(hours=8)),
        ("2026-11-23T08:00+08:00", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T00:00:00Z", datetime(2026, 11, 23, tzinfo=UTC)),
    ],
)
def test_a_time_is_what_its_writer_meant(text: str, instant: datetime) -> None:
    assert when(text, NOW) == instant


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (None, ""),
        (0.0, "0 ms"),
        (0.0034, "3 ms"),
        (1.5, "1.50 s"),
        (75, "75.00 s"),
        (600, "10.0 min"),
        (7200, "2.0 h"),
        (3 * 86400, "3.0 d"),
        (-0.5, "-500 ms"),
    ],
)
def test_a_length_is_told_in_the_unit_that_suits_it(length: float | None, text: str) -> None:
    assert seconds(length) == text


@pytest.mark.parametrize(
    ("text", "size"), [("", 0), ("800", 800), ("1k", 1024), ("500M", 500 << 20), ("1.5GiB", 3 << 29), ("2 tb", 2 << 40)]
)
def test_a_size_is_read_in_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["lots", "-5M", "5X", "M"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadSetting):
        parse_size(text)

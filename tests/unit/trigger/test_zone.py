"""Zones as spans of integers say what zoneinfo says, and unknown names are answered with near ones."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from random import Random
from struct import pack
from zoneinfo import ZoneInfo

import pytest

from shike.errors import ZoneError
from shike.trigger import tz_version
from shike.trigger.zone import Zone, names, zone
from tests.unit.trigger.oracle import changes

ZONES = names()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END_SECOND = 4_102_444_800  # 2100


def offset_by_zoneinfo(name: str, second: int) -> int:
    offset = (EPOCH + timedelta(seconds=second)).astimezone(ZoneInfo(name)).utcoffset()
    assert offset is not None
    return round(offset.total_seconds())


@pytest.mark.parametrize("seed", range(2))
def test_offsets_of_any_zone_at_any_second_are_zoneinfos(seed: int) -> None:
    random = Random(seed)
    for _ in range(150):
        name, second = random.choice(ZONES), random.randrange(END_SECOND)
        assert zone(name).offset(second) == offset_by_zoneinfo(name, second), (name, second)


def test_spans_follow_one_another_and_say_what_happens_between_them() -> None:
    for name in ("Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia"):
        span = zone(name).span(1_262_304_000)
        while span.end < 1_420_070_400:
            following = zone(name).span(span.end)
            assert following.start == span.end
            assert following.gap == max(0, following.offset - span.offset)
            change = span.offset - following.offset
            assert change <= 0 or following.repeat == change
            span = following


def test_a_repeat_that_crosses_a_border_between_chunks_is_still_a_repeat() -> None:
    border = 200 << 23
    span = Zone("test", two_hours_back_at(border - 3600)).span(border)
    assert (span.start, span.gap, span.repeat) == (border, 0, 3600)
    assert Zone("test", two_hours_back_at(border - 3 * 3600)).span(border).repeat == 0


def two_hours_back_at(second: int) -> ZoneInfo:
    """A zone whose clock is set back by two hours once, as a TZif file."""
    header = b"TZif2" + bytes(15)
    counts = pack(">6l", 0, 0, 0, 1, 2, 4)
    body = pack(">q", second) + b"\1" + pack(">lbb", 7200, 0, 0) + pack(">lbb", 0, 0, 0) + b"AAA\0"
    version_1 = pack(">l", min(second, 2**31 - 1)) + body[8:]
    return ZoneInfo.from_file(BytesIO(header + counts + version_1 + header + counts + body + b"\nAAA0\n"), key="T/T")


@pytest.mark.slow
def test_no_two_changes_of_a_zone_are_so_close_that_a_probe_could_miss_one() -> None:
    for name in ZONES:
        found = changes(name, 1970, 2040)
        assert all(second - first > timedelta(days=4) for first, second in pairwise(found)), name


@pytest.mark.parametrize(
    ("name", "near"),
    [("europe/berlin", "Europe/Berlin"), ("Shanghai", "Asia/Shanghai"), ("America/New York", "America/New_York")],
)
def test_an_unknown_zone_is_answered_with_near_names(name: str, near: str) -> None:
    with pytest.raises(ZoneError, match=f"did you mean .*{near}"):
        zone(name)


@pytest.mark.parametrize("name", ["", "../etc/passwd", "/etc/passwd", "a\0b", "Europe", "ZZZ" * 100, 5, None])
def test_what_is_no_zone_is_a_zone_error_and_reads_no_other_file(name: str) -> None:
    with pytest.raises(ZoneError):
        zone(name)


@pytest.mark.parametrize("name", ["localtime", "posixrules", "Factory", "posix/Europe/Berlin", "right/Asia/Shanghai"])
def test_a_name_that_means_something_else_on_another_machine_is_refused(name: str) -> None:
    with pytest.raises(ZoneError, match="not the same on every machine; name a real zone"):
        zone(name)


def test_the_release_of_the_tz_database_is_known() -> None:
    assert re.fullmatch(r"\d{4}[a-z]*|", tz_version())

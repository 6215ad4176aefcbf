"""Cron over the days on which clocks are set, against the minute-by-minute oracle, in any zone (R3.11)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from shike.trigger import DST, cron
from shike.trigger.zone import names
from tests.unit.trigger.oracle import changes, moments, random_fields, read_window

DAY = 86_400_000_000
ZONES = names()
# Half-hour changes, changes of a whole day, negative summer time, changes at midnight and in Ramadan.
ODD = [
    ("Australia/Lord_Howe", datetime(2026, 4, 4, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)),
    ("Pacific/Kwajalein", datetime(1993, 8, 20, tzinfo=UTC)),
    ("Pacific/Kiritimati", datetime(1994, 12, 31, tzinfo=UTC)),
    ("Antarctica/Vostok", datetime(1994, 1, 31, tzinfo=UTC)),
    ("Antarctica/Casey", datetime(2010, 3, 4, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2026, 3, 28, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 2, 15, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 3, 22, tzinfo=UTC)),
    ("Europe/Dublin", datetime(2026, 10, 24, tzinfo=UTC)),
    ("Asia/Beirut", datetime(2026, 3, 28, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 11, 3, tzinfo=UTC)),
    ("America/Caracas", datetime(2007, 12, 9, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(1985, 12, 31, tzinfo=UTC)),
    ("Asia/Shanghai", datetime(1986, 5, 3, tzinfo=UTC)),
    ("Asia/Shanghai", datetime(1991, 9, 14, tzinfo=UTC)),
]


def check_window(random: Random, zone: str, start: datetime, days: int, expressions: int) -> None:
    minutes = read_window(zone, start, days)
    low = round(start.timestamp()) * 1_000_000
    high = low + days * DAY
    for _ in range(expressions):
        fields = random_fields(random)
        policy = random.choice(list(DST))
        expected = moments(fields, minutes, policy.value)
        trigger = cron(fields.text, tz=zone, dst=policy)
        case = f"{fields.text!r} {policy} {zone} {start}"
        assert trigger.between(low, high, limit=days * 1440) == expected, case
        backwards = []
        moment = trigger.prev(high)
        while moment is not None and moment >= low:
            backwards.append(moment)
            moment = trigger.prev(moment)
        assert backwards[::-1] == expected, case
        assert trigger.count(low, high) == (len(expected), True), case


@pytest.mark.parametrize(("zone", "day"), ODD, ids=lambda value: str(value)[:19])
def test_odd_changes_agree_with_the_oracle(zone: str, day: datetime) -> None:
    check_window(Random(f"{zone} {day}"), zone, day - timedelta(days=1), days=3, expressions=8)


@pytest.mark.parametrize("seed", range(3))
def test_a_sample_of_all_zones_agrees_with_the_oracle(seed: int) -> None:
    random = Random(seed)
    for _ in range(10):
        zone, year = random.choice(ZONES), random.randrange(1975, 2037)
        found = changes(zone, year, year + 1)
        start = random.choice(found) if found else datetime(year, random.randint(1, 12), 1, tzinfo=UTC)
        check_window(random, zone, start - timedelta(days=1), days=3, expressions=5)


@pytest.mark.slow
def test_every_zone_agrees_with_the_oracle_in_a_week_of_change() -> None:
    random = Random("sweep")
    for zone in ZONES:
        year = random.randrange(1975, 2037)
        found = changes(zone, year, year + 1)
        start = random.choice(found) if found else datetime(year, random.randint(1, 12), 1, tzinfo=UTC)
        check_window(random, zone, start - timedelta(days=3), days=7, expressions=4)

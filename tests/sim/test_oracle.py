"""The oracle and the judge can see: a checker that never objects would pass every seed."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.sim.oracle import MICROS, Calendar, Rate, moments

START = int(datetime(2026, 3, 29, 0, 30, tzinfo=UTC).timestamp()) * MICROS
HOUR = 3600 * MICROS


def test_a_rate_is_counted_from_its_anchor() -> None:
    found = moments(Rate(7, START - 10 * MICROS), START, START + 20 * MICROS)
    assert [(at - START) // MICROS for at in found] == [4, 11, 18]


def test_a_calendar_is_read_on_the_wall_clock_of_its_zone() -> None:
    found = moments(Calendar("0,30 1-3 * * *", "Europe/Berlin"), START, START + 2 * HOUR)
    shown = [datetime.fromtimestamp(at / MICROS, UTC).strftime("%H:%M") for at in found]
    assert shown == ["00:30", "01:00", "01:30"]  # 01:30, then, after the gap, 03:00 and 03:30 on the wall


def test_steps_and_lists_of_fields() -> None:
    found = moments(Calendar("*/20 * * * *"), START, START + HOUR)
    assert [(at - START) // MICROS // 60 for at in found] == [10, 30, 50]

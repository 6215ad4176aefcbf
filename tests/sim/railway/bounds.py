"""When what happens on a simulated railway, and what is too late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shike.bounds import LEASE_SECONDS
from shike.clock import to_micros

OPENING = datetime(2026, 11, 6, 23, 30, tzinfo=UTC)  # 7:30 in Shanghai, 15 days before DAY: the schedule's moment
EPOCH = to_micros(OPENING - timedelta(seconds=10))
ON_SALE_SECONDS = 40.0  # of the story: 30 s after the ledgers were to be opened
HOUSES = 2
VISITS = 40
SHORT_HOLD_SECONDS, LONG_HOLD_SECONDS = 45, 15 * 60
STRIKES = 9
SKEW_SECONDS = 20.0
BOUND_SECONDS = LEASE_SECONDS + 40.0  # a dead house's runs are rescued, its half-done orders looked for twice a minute
DARK_SHARE = 0.25  # of the worlds: all houses are dead …
BLACKOUT_SECONDS, DARK_SECONDS = 7.0, (72.0, 85.0)  # … from then on, for longer than a moment's grace

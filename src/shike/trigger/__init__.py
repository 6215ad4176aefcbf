"""WHEN: triggers, pure functions from one moment to the next.

`once`, `every`, `cron` and the combinations build them; `encode` and `decode` store them; `Line` walks them.
"""

from __future__ import annotations

from shike.trigger.base import Lang, Tally, Trigger
from shike.trigger.calendar import Calendar, calendar
from shike.trigger.combine import (
    AllOf,
    AnyOf,
    AnyTrigger,
    During,
    Except,
    all_of,
    any_of,
    decode,
    during,
    encode,
    except_for,
)
from shike.trigger.cron import DST, Cron, cron
from shike.trigger.duration import Duration, format_duration, parse_duration
from shike.trigger.every import Every, every
from shike.trigger.line import Line, Moment, Stretch
from shike.trigger.once import Disabled, Once, once, to_instant
from shike.trigger.zone import tz_version

__all__ = [
    "DST",
    "AllOf",
    "AnyOf",
    "AnyTrigger",
    "Calendar",
    "Cron",
    "Disabled",
    "Duration",
    "During",
    "Every",
    "Except",
    "Lang",
    "Line",
    "Moment",
    "Once",
    "Stretch",
    "Tally",
    "Trigger",
    "all_of",
    "any_of",
    "calendar",
    "cron",
    "decode",
    "during",
    "encode",
    "every",
    "except_for",
    "format_duration",
    "once",
    "parse_duration",
    "to_instant",
    "tz_version",
]

"""How fast the next moment of a cron expression is found, beside the peers, in one run: `python -m benchmarks.cron`.

Four questions. *walk*: moment after moment from one trigger (ours in microseconds; theirs are iterators of
datetimes). *walk, datetimes*: the same, ours turned into aware datetimes of the zone too. *from a row*: the stored
text is all there is, and one moment is wanted. *read*: a text never seen before becomes a trigger. Every repeat
visits all systems in turn; what is told is the median of the rates and the median of the ratios within each repeat.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from zoneinfo import ZoneInfo

from cronsim import CronSim

from shike.clock import to_datetime, to_micros
from shike.trigger import cron, decode, encode
from shike.trigger.cron_parse import parse

START = datetime(2026, 1, 1, tzinfo=UTC)
EXPRESSIONS = [
    ("* * * * *", "Europe/Berlin"),
    ("*/5 * * * *", "UTC"),
    ("*/5 * * * *", "Europe/Berlin"),
    ("0 * * * *", "Asia/Shanghai"),
    ("30 2 * * *", "Europe/Berlin"),
    ("0 9 * * 1-5", "America/New_York"),
    ("0 0 1 * *", "Europe/Berlin"),
    ("0 12 * * 1#2", "Europe/Berlin"),
    ("30 2 29 2 *", "UTC"),
    ("30 2 29 2 *", "Europe/Berlin"),
]
Work = Callable[[], int]
"""Does a batch of work and says how many moments it found."""


def ours_walk(expression: str, tz: str, moments: int) -> Work:
    trigger, start = cron(expression, tz=tz), to_micros(START)

    def work() -> int:
        moment = start
        for _ in range(moments):
            found = trigger.next(moment)
            assert found is not None
            moment = found
        return moments

    return work


def ours_datetimes(expression: str, tz: str, moments: int) -> Work:
    trigger, start, zone = cron(expression, tz=tz), to_micros(START), ZoneInfo(tz)

    def work() -> int:
        moment = start
        for _ in range(moments):
            found = trigger.next(moment)
            assert found is not None
            to_datetime(found).astimezone(zone)
            moment = found
        return moments

    return work


def ours_row(expression: str, tz: str, moments: int) -> Work:
    row, start = encode(cron(expression, tz=tz)), to_micros(START)

    def work() -> int:
        for number in range(moments):
            decode(row).next(start + number * 60_000_000)
        return moments

    return work


def ours_read(expression: str, tz: str, moments: int) -> Work:
    def work() -> int:
        for _ in range(moments):
            parse.cache_clear()
            cron(expression, tz=tz)
        return moments

    return work


def cronsim_read(expression: str, tz: str, moments: int) -> Work:
    start = START.astimezone(ZoneInfo(tz))

    def work() -> int:
        for _ in range(moments):
            CronSim(expression, start)
        return moments

    return work


def cronsim_walk(expression: str, tz: str, moments: int) -> Work:
    start = START.astimezone(ZoneInfo(tz))

    def work() -> int:
        walk = CronSim(expression, start)
        for _ in range(moments):
            next(walk)
        return moments

    return work


def cronsim_row(expression: str, tz: str, moments: int) -> Work:
    start, zone = to_micros(START), ZoneInfo(tz)

    def work() -> int:
        for number in range(moments):
            next(CronSim(expression, to_datetime(start + number * 60_000_000).astimezone(zone)))
        return moments

    return work


def rate(work: Work) -> float:
    begun = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - begun)


def compare(ours: Work, theirs: Work, repeats: int) -> tuple[float, float, float]:
    """Our median rate, theirs, and the median ratio. The first visit of each warms its caches and is not counted."""
    rate(ours), rate(theirs)
    pairs = [(rate(ours), rate(theirs)) for _ in range(repeats)]
    return median(a for a, _ in pairs), median(b for _, b in pairs), median(a / b for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cron", description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--moments", type=int, default=300, help="per visit; sparse expressions take a tenth")
    options = parser.parse_args()
    questions = {
        "walk": (ours_walk, cronsim_walk),
        "walk, datetimes": (ours_datetimes, cronsim_walk),
        "from a row": (ours_row, cronsim_row),
        "read": (ours_read, cronsim_read),
    }
    print("| question | expression | zone | Shike /s | cronsim /s | ratio |\n|---|---|---|---:|---:|---:|")
    for question, (ours, theirs) in questions.items():
        for expression, tz in EXPRESSIONS:
            # cronsim stops after 50 years, which is twelve leap days.
            moments = 10 if " 29 2 " in expression else options.moments
            figures = compare(ours(expression, tz, moments), theirs(expression, tz, moments), options.repeats)
            print(f"| {question} | `{expression}` | {tz} | {figures[0]:,.0f} | {figures[1]:,.0f} | {figures[2]:.1f}x |")


if __name__ == "__main__":
    main()

"""A day of the timetable before it happens: runs per minute, and the herds at full hours. Pure; reads no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from shike.bounds import BETWEEN_MOMENTS
from shike.clock import MICROS, to_datetime, to_micros
from shike.counted import counted
from shike.model import Planned
from shike.trigger.line import Line

MINUTE = 60 * MICROS
HERD_SHARE = 10  # a minute with ten times the mean of the day, …
HERD_RUNS = 10  # … and at least so many runs, is a herd
HERDS_SHOWN = 8
BARS = " ▁▂▃▄▅▆▇█"


class Herd(Struct, frozen=True, kw_only=True):
    """A minute with far more runs than most."""

    at: datetime
    runs: int
    schedules: int


class Simulation(Struct, frozen=True, kw_only=True):
    """One day."""

    start: datetime
    end: datetime
    runs: int
    per_minute: list[int]
    busiest: dict[str, int]  # runs of each schedule, most first
    at_full_hour: int  # runs in the first minute of an hour
    herds: list[Herd]
    not_listed: list[str]  # fixed delays: their moments follow from their runs
    capped: list[str]  # with jitter and more moments than are looked at one by one


def day_of(at: datetime) -> tuple[datetime, datetime]:
    """The day around an instant, on the wall clock of its zone: 23 to 25 hours."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    following = (midnight.replace(tzinfo=None) + timedelta(days=1)).astimezone()
    return midnight.replace(tzinfo=None).astimezone(), following


def simulate(schedules: Iterable[Planned], start: datetime, end: datetime) -> Simulation:
    """Count what these schedules would start in [start, end). Paused ones are counted: they may be resumed."""
    low, high = to_micros(start), to_micros(end)
    size = -(-(high - low) // MINUTE)
    total = [0] * size
    users: list[set[str]] = [set() for _ in total]
    by_schedule: Counter[str] = Counter()
    not_listed, capped = [], []
    for planned in schedules:
        name = planned.schedule.name
        line = Line.of(planned.schedule)
        if line.after_end:
            not_listed.append(name)
            continue
        minutes, whole = _minutes(line, low, high, size)
        if not whole:
            capped.append(name)
        for minute, runs in minutes.items():
            total[minute] += runs
            users[minute].add(name)
            by_schedule[name] += runs
    return Simulation(
        start=start,
        end=end,
        runs=sum(total),
        per_minute=total,
        busiest=dict(by_schedule.most_common()),
        at_full_hour=sum(runs for minute, runs in enumerate(total) if not _minute_of_hour(low, minute)),
        herds=_herds(total, users, low),
        not_listed=sorted(not_listed),
        capped=sorted(capped),
    )


def _minutes(line: Line, low: int, high: int, size: int) -> tuple[Counter[int], bool]:
    """Runs per minute: by arithmetic; with jitter one by one, since it moves runs from one minute to another."""
    trigger = line.trigger.bound(line.start_at, line.spread)
    first, last = max(low, line.start_at), min(high, line.end_at or high)
    found: Counter[int] = Counter()
    if line.jitter_seconds:
        early = first - round(line.jitter_seconds * MICROS)
        moments = trigger.between(max(early, line.start_at), last, BETWEEN_MOMENTS)
        found.update((due - low) // MINUTE for due in map(line.due_at, moments) if low <= due < high)
        return found, len(moments) < BETWEEN_MOMENTS
    for minute in range(size):
        begin, end = max(low + minute * MINUTE, first), min(low + (minute + 1) * MINUTE, last)
        if begin < end and (runs := trigger.count(begin, end).moments):
            found[minute] = runs
    return found, True


def _herds(total: Sequence[int], users: Sequence[set[str]], low: int) -> list[Herd]:
    mean = sum(total) / max(len(total), 1)
    high = max(HERD_RUNS, HERD_SHARE * mean)
    most = sorted((minute for minute, runs in enumerate(total) if runs >= high), key=lambda minute: -total[minute])
    return [
        Herd(at=to_datetime(low + minute * MINUTE), runs=total[minute], schedules=len(users[minute]))
        for minute in most[:HERDS_SHOWN]
    ]


def _minute_of_hour(low: int, minute: int) -> int:
    return to_datetime(low + minute * MINUTE).minute


def picture(found: Simulation) -> str:
    """A line an hour, a sign a minute, the highest minute of the day a full block."""
    top = max(found.per_minute, default=0)
    lines = [f"{found.start.date()}: {counted(found.runs, 'run')}; the fullest minute has {top:,}"]
    for hour in range(0, len(found.per_minute), 60):
        minutes = found.per_minute[hour : hour + 60]
        begins = to_datetime(to_micros(found.start) + hour * MINUTE).astimezone()
        signs = "".join(BARS[-(-runs * (len(BARS) - 1) // top)] if top else " " for runs in minutes)
        lines.append(f"{begins:%H:%M} ▏{signs:<60}▕ {sum(minutes):,}")
    if found.runs:
        share = found.at_full_hour * 100 / found.runs
        lines.append(f"{found.at_full_hour:,} of them ({share:.0f} %) in the first minute of an hour")
    for herd in found.herds:
        herded = f"{counted(herd.runs, 'run')} of {counted(herd.schedules, 'schedule')}"
        lines.append(f"herd at {herd.at.astimezone():%H:%M}: {herded}; `H` or jitter spreads them")
    for name, runs in list(found.busiest.items())[:HERDS_SHOWN]:
        lines.append(f"{runs:>9,}  {name}")
    lines += [f"        –  {name}: a fixed delay follows from its runs" for name in found.not_listed]
    lines += [f"        –  {name}: only its first {BETWEEN_MOMENTS:,} moments were counted" for name in found.capped]
    return "\n".join(lines)

"""Reading a timetable in GTFS, the format in which the world's railways publish theirs (gtfs.org, schedule reference).

What cannot be read is a `BadFeed` with file, line and field, and nothing is taken. What can be read and cannot be
true — a train that arrives before it left — is set aside, a *problem* each, and told: the rest is good. Read over:
shapes, fares, frequencies and whatever else no seat is sold by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from shike.errors import BadFeed, ZoneError
from shike.rail.bounds import CALLS_MAX, DAYS_MAX, NAME_CHARS_MAX, PROBLEMS_MAX, TIME_HOURS_MAX
from shike.rail.model import Station, Trip
from shike.rail.tables import Kept, Row, Source, Table, shown
from shike.rail.timetable import Timetable
from shike.trigger.zone import zone

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
BLANK: Final = -1  # a time that the feed leaves to be worked out
NOT_HERE: Final = "1"  # no pickup, or no drop-off
_RUNS, _REMOVED = 1, 2

Days = Mapping[str, set[int]]  # of a service, as proleptic ordinals


class Problem(NamedTuple):
    """A trip that was set aside, and why."""

    file: str
    line: int
    trip: str
    words: str


class Feed(NamedTuple):
    """What was read, and what was set aside: the first so many problems, and the number of all."""

    timetable: Timetable
    problems: tuple[Problem, ...]
    problem_count: int


class Stop(NamedTuple):
    """A row of stop_times."""

    sequence: int
    station: int
    arrives: int
    departs: int
    line: int
    boards: bool
    alights: bool


def read_feed(path: Path) -> Feed:
    """Read a feed: a zip archive, or a folder of its files. Raises `BadFeed`."""
    with Source(path) as source:
        zone_name = source.read("agency.txt", _zone)
        routes = source.read("routes.txt", _routes)
        numbers: dict[str, int] = {}
        stations = source.read("stops.txt", lambda table: list(_stations(table, numbers)))
        first, services = _services(source)
        heads = source.read("trips.txt", lambda table: dict(_heads(table, routes, services)))
        stops = source.read("stop_times.txt", lambda table: _stops(table, heads, numbers))
    trips, problems, count = [], [], 0
    for id, (train, days) in heads.items():
        found = _trip(id, train, days, stops.get(id, []))
        if isinstance(found, Problem):
            count += 1
            if count <= PROBLEMS_MAX:
                problems.append(found)
        else:
            trips.append(found)
    length = max((trip.days.bit_length() for trip in trips), default=0)
    timetable = Timetable(stations=stations, trips=trips, zone_name=zone_name, first_day=first, day_count=length)
    return Feed(timetable, tuple(problems), count)


def _zone(table: Table) -> str:
    """The one time zone of a feed: all its times are in it, wherever a station lies."""
    at, name = table.column("agency_timezone"), ""
    for row in table:
        if name and row[at].strip() != name:
            raise table.bad(f"{shown(row[at])} is not {name}, as above: a feed has one time zone", "agency_timezone")
        name = row[at].strip()
        try:
            zone(name)
        except ZoneError as error:
            raise table.bad(str(error), "agency_timezone") from None
    if not name:
        raise BadFeed("no agency is in it", file=table.name, line=1)
    return name


def _routes(table: Table) -> dict[str, str]:
    """Route → what its trains are called."""
    id, short, long = table.column("route_id"), table.optional("route_short_name"), table.optional("route_long_name")
    names: dict[str, str] = {}
    for row in table:
        names[_new(table, row[id], "route_id", names)] = _name(row, short) or _name(row, long)
    return names


def _stations(table: Table, numbers: dict[str, int]) -> Iterator[Station]:
    id, name = table.column("stop_id"), table.column("stop_name")
    places = [table.optional(field) for field in ("stop_lat", "stop_lon")]
    code = table.optional("stop_code")
    for row in table:
        key = _new(table, row[id], "stop_id", numbers)
        if not row[name].strip():
            raise table.bad("a station must have a name", "stop_name")
        latitude = _degrees(table, row, places[0], "stop_lat", 90)
        longitude = _degrees(table, row, places[1], "stop_lon", 180)
        numbers[key] = len(numbers)
        yield Station(key, " ".join(row[name].split())[:NAME_CHARS_MAX], latitude, longitude, code=_name(row, code))


def _services(source: Source) -> tuple[date, Days]:
    """The first day of a feed, and the days of each service: weekdays between two dates, single days, or both."""
    services: dict[str, set[int]] = {}
    if source.has("calendar.txt"):
        source.read("calendar.txt", lambda table: _weekdays(table, services))
    if source.has("calendar_dates.txt"):
        source.read("calendar_dates.txt", lambda table: _single_days(table, services))
    elif not source.has("calendar.txt"):
        raise BadFeed("the file is missing, and so is calendar.txt: when do its trains run?", file="calendar_dates.txt")
    low = min((min(days) for days in services.values() if days), default=None)
    if low is None:
        raise BadFeed("no train runs on any day", file="calendar_dates.txt")
    high = max(max(days) for days in services.values() if days)
    if high - low >= DAYS_MAX:
        far = date.fromordinal(high)
        raise BadFeed(f"days from {date.fromordinal(low)} to {far} are too many", file="calendar_dates.txt")
    return date.fromordinal(low), {id: {day - low for day in days} for id, days in services.items()}


def _weekdays(table: Table, services: dict[str, set[int]]) -> None:
    id, start, end = (table.column(field) for field in ("service_id", "start_date", "end_date"))
    columns = [table.column(field) for field in WEEKDAYS]
    first, last = Kept(table, "start_date", _date), Kept(table, "end_date", _date)
    for row in table:
        key = _new(table, row[id], "service_id", services)
        for column, field in zip(columns, WEEKDAYS, strict=True):
            if row[column].strip() not in ("0", "1"):
                raise table.bad(f"{shown(row[column])} is neither 0 nor 1", field)
        low, high = first(row[start]), last(row[end])
        if not low <= high < low + DAYS_MAX:
            raise table.bad(f"{row[end]} is before {row[start]}, or too long after it", "end_date")
        runs = {number for number, column in enumerate(columns) if row[column].strip() == "1"}
        services[key] = {day for day in range(low, high + 1) if (day - 1) % 7 in runs}


def _single_days(table: Table, services: dict[str, set[int]]) -> None:
    id, day, kind = (table.column(field) for field in ("service_id", "date", "exception_type"))
    dates, kinds = Kept(table, "date", _date), Kept(table, "exception_type", _exception)
    for row in table:
        key = row[id]
        days = services.get(key)
        if days is None:
            days = services[_new(table, key, "service_id", services)] = set()
        if kinds(row[kind]) == _RUNS:
            days.add(dates(row[day]))
        else:
            days.discard(dates(row[day]))


def _heads(table: Table, routes: Mapping[str, str], services: Days) -> Iterator[tuple[str, tuple[str, int]]]:
    """Trip → the train's name and its days."""
    route, service, id = (table.column(field) for field in ("route_id", "service_id", "trip_id"))
    name = table.optional("trip_short_name")
    known: set[str] = set()
    bits = {key: sum(1 << day for day in days) for key, days in services.items()}
    for row in table:
        key = _new(table, row[id], "trip_id", known)
        known.add(key)
        if row[route] not in routes:
            raise table.bad(f"{shown(row[route])} is no route of routes.txt", "route_id")
        if row[service] not in bits:
            raise table.bad(f"{shown(row[service])} is no service of calendar.txt or calendar_dates.txt", "service_id")
        train = _name(row, name) or routes[row[route]]
        if not train:
            raise table.bad("neither the trip nor its route has a name", "trip_short_name")
        yield key, (train, bits[row[service]])


def _stops(table: Table, heads: Mapping[str, object], numbers: Mapping[str, int]) -> dict[str, list[Stop]]:
    id, station, sequence = (table.column(field) for field in ("trip_id", "stop_id", "stop_sequence"))
    arrival, departure = table.column("arrival_time"), table.column("departure_time")
    pickup, drop_off = table.optional("pickup_type"), table.optional("drop_off_type")
    arrives, departs = Kept(table, "arrival_time", _time), Kept(table, "departure_time", _time)
    order = Kept(table, "stop_sequence", _count)
    found: dict[str, list[Stop]] = {key: [] for key in heads}
    for row in table:
        stops = found.get(row[id])
        if stops is None:
            raise table.bad(f"{shown(row[id])} is no trip of trips.txt", "trip_id")
        number = numbers.get(row[station])
        if number is None:
            raise table.bad(f"{shown(row[station])} is no stop of stops.txt", "stop_id")
        came, left = arrives(row[arrival]), departs(row[departure])
        stops.append(
            Stop(
                order(row[sequence]),
                number,
                left if came == BLANK else came,
                came if left == BLANK else left,
                table.line,
                pickup is None or row[pickup] != NOT_HERE,
                drop_off is None or row[drop_off] != NOT_HERE,
            )
        )
        if len(stops) > CALLS_MAX:
            raise table.bad(f"trip {shown(row[id])} has more than {CALLS_MAX} calls", "trip_id")
    return found


def _trip(id: str, train: str, days: int, stops: list[Stop]) -> Trip | Problem:
    stops.sort(key=_sequence)
    line = stops[0].line if stops else 0
    if len(stops) < 2:
        return Problem("stop_times.txt", line, id, f"{train} calls at fewer than two stations")
    for before, after in pairwise(stops):
        if before.sequence == after.sequence:
            again = f"trip {shown(id)} has this place in its order twice"
            raise BadFeed(again, file="stop_times.txt", line=after.line, field="stop_sequence")
    if BLANK in (stops[0].departs, stops[-1].arrives):
        at = stops[0] if stops[0].departs == BLANK else stops[-1]
        words = "the first and the last call of a trip must have a time"
        raise BadFeed(words, file="stop_times.txt", line=at.line, field="arrival_time")
    arrives, departs = [stop.arrives for stop in stops], [stop.departs for stop in stops]
    if BLANK in arrives:
        _work_out(arrives, departs)
    last = arrives[0]
    for stop, came, left in zip(stops, arrives, departs, strict=True):
        if came < last or left < came:
            return Problem("stop_times.txt", stop.line, id, f"{train} would go back in time here")
        last = left
    return Trip(
        id,
        train,
        tuple(stop.station for stop in stops),
        tuple(arrives),
        tuple(departs),
        days,
        _bits(stop.boards for stop in stops),
        _bits(stop.alights for stop in stops),
    )


def _sequence(stop: Stop) -> int:
    return stop.sequence


def _bits(flags: Iterator[bool]) -> int:
    return sum(1 << position for position, flag in enumerate(flags) if flag)


def _work_out(arrives: list[int], departs: list[int]) -> None:
    """Put times where the feed has none: evenly between the calls before and after that have one."""
    at = 0
    while at < len(arrives):
        if arrives[at] != BLANK:
            at += 1
            continue
        end = next(later for later in range(at, len(arrives)) if arrives[later] != BLANK)
        start, begin, steps = at - 1, departs[at - 1], end - at + 1
        for place in range(at, end):
            arrives[place] = departs[place] = begin + (arrives[end] - begin) * (place - start) // steps
        at = end


def _new(table: Table, key: str, field: str, known: object) -> str:
    """An identity that must not be empty, nor be known yet."""
    if not key.strip():
        raise table.bad("is empty", field)
    if isinstance(known, dict | set) and key in known:
        raise table.bad(f"{shown(key)} was there before", field)
    return key


def _name(row: Row, at: int | None) -> str:
    return "" if at is None else " ".join(row[at].split())[:NAME_CHARS_MAX]


def _degrees(table: Table, row: Row, at: int | None, field: str, most: int) -> float | None:
    if at is None or not row[at].strip():
        return None
    try:
        value = float(row[at])
    except ValueError:
        raise table.bad(f"{shown(row[at])} is no number", field) from None
    if not -most <= value <= most:
        raise table.bad(f"{shown(row[at])} is not between -{most} and {most}", field)
    return value


def _time(text: str) -> int:
    """`HH:MM:SS` after noon minus twelve hours, past 24:00 too; `H:MM:SS` as well. Blank: to be worked out."""
    if not text:
        return BLANK
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts):
        raise ValueError("is no time; write HH:MM:SS, past 24:00:00 too")
    hours, minutes, seconds = map(int, parts)
    if minutes > 59 or seconds > 59 or hours >= TIME_HOURS_MAX:
        raise ValueError(f"is no time of a service day: minutes and seconds to 59, hours below {TIME_HOURS_MAX}")
    return hours * 3600 + minutes * 60 + seconds


def _date(text: str) -> int:
    if not (len(text) == 8 and text.isascii() and text.isdigit()):
        raise ValueError("is no date; write YYYYMMDD")
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:])).toordinal()
    except ValueError:
        raise ValueError("is no day of the calendar") from None


def _exception(text: str) -> int:
    if text not in ("1", "2"):
        raise ValueError("is neither 1 (runs) nor 2 (does not run)")
    return _RUNS if text == "1" else _REMOVED


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError("is no whole number from 0 on")
    return int(text)


def last_day(feed: Feed) -> date:
    """The last day of the feed on which a train sets out."""
    return feed.timetable.first_day + timedelta(days=feed.timetable.day_count - 1)

"""`shike rail`: what is in a timetable, and which trains go where; the other commands load when they are asked for."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from cyclopts import App, Parameter

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.clock import to_datetime
from shike.counted import counted
from shike.errors import BadTime, BadTrip

if TYPE_CHECKING:
    from shike.rail.gtfs import Feed
    from shike.rail.model import Leg
    from shike.rail.timetable import Timetable

PROBLEMS_SHOWN = 10

app = App(name="rail", help="Read a railway's timetable, search it, and sell its seats.")
for name in ("hold", "wait", "order", "pay", "refund", "why"):
    app.command(f"shike.cli.rail_desk:{name}", name=name)
app.command("shike.cli.rail_desk:open_", name="open")
app.command("shike.cli.rail_disrupt:disrupt", name="disrupt")
app.command("shike.cli.rail_sale:simulate", name="simulate")
app.command("shike.cli.rail_serve:serve", name="serve")
app.command("shike.cli.rail_journal:verify", name="verify")
app.command("shike.cli.rail_journal:replay", name="replay")

Source = Annotated[str, Parameter(name="FEED", help="A timetable in GTFS: a zip archive or a folder.")]
AsJson = Annotated[bool, Parameter(name="--json", help="One JSON document.", negative="")]


@app.command(name="import")
def import_(feed: Source, /, *, json: AsJson = False) -> int:
    """Read a timetable and tell what is in it; trains that cannot be true are set aside, and shown (exit code 1)."""
    found = read(feed)
    timetable = found.timetable
    runs = sum(trip.days.bit_count() for trip in timetable.trips)
    last = date.fromordinal(timetable.first_day.toordinal() + timetable.day_count - 1)
    facts: list[tuple[str, Any]] = [
        ("stations", len(timetable.stations)),
        ("trips", len(timetable.trips)),
        ("calls", sum(len(trip.stations) for trip in timetable.trips)),
        ("first_day", timetable.first_day.isoformat()),
        ("last_day", last.isoformat()),
        ("trains_run", runs),
        ("trains_a_day", round(runs / timetable.day_count)),
        ("zone", timetable.zone_name),
        ("set_aside", found.problem_count),
    ]
    problems = [{"file": one.file, "line": one.line, "trip": one.trip, "problem": one.words} for one in found.problems]
    if json:
        output.as_json({**dict(facts), "problems": problems})
        return FOUND if problems else FINE
    output.facts([(name.replace("_", " "), f"{value:,}" if isinstance(value, int) else value) for name, value in facts])
    for one in found.problems[:PROBLEMS_SHOWN]:
        print(f"{one.file}:{one.line}: trip {one.trip}: {one.words}")
    more = found.problem_count - PROBLEMS_SHOWN
    if more > 0:
        print(f"… and {counted(more, 'more')}")
    return FOUND if problems else FINE


@app.command
def search(
    feed: Source,
    origin: Annotated[str, Parameter(name="FROM", help="A station, its beginning or code, or a city.")],
    goal: Annotated[str, Parameter(name="TO", help="Another one.")],
    day: Annotated[str, Parameter(name="DAY", help="The day of departure, 2026-11-22.")],
    /,
    *,
    change: Annotated[bool, Parameter(help="Journeys with one change of trains, too.", negative="")] = False,
    json: AsJson = False,
) -> int:
    """List the trains from one place to another on a day, and where they call on the way."""
    timetable = read(feed).timetable
    when = service_day(day, timetable)
    legs = [[leg] for leg in timetable.search(origin, goal, when)]
    if change:
        from shike.rail.transfers import transfers

        legs += [list(one) for one in transfers(timetable, origin, goal, when)]
    rows = [_row(timetable, one) for one in legs]
    if json:
        output.as_json({"trains": rows})
    else:
        headings = ("train", "leaves", "arrives", "takes", "from", "to", "stops")
        cells = [
            (
                row["train"],
                row["leaves"][11:16],
                row["arrives"][11:16],
                row["takes"],
                row["from"],
                row["to"],
                row["stops"],
            )
            for row in rows
        ]
        output.table(headings, cells, empty=f"no train goes from {origin} to {goal} on {when}")
    return FINE


def read(feed: str) -> Feed:
    """A timetable; what cannot be read is told with its line."""
    from shike.rail.gtfs import read_feed

    return read_feed(Path(feed))


def service_day(text: str, timetable: Timetable) -> date:
    """A day that the timetable knows. Raises `BadTime`, `BadTrip`."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadTime(f"{text!r} is no day; write it as 2026-11-22") from None
    last = date.fromordinal(timetable.first_day.toordinal() + timetable.day_count - 1)
    if not timetable.first_day <= day <= last:
        raise BadTrip(f"the timetable knows {timetable.first_day} to {last}, not {day}")
    return day


def _row(timetable: Timetable, legs: list[Leg]) -> dict[str, Any]:
    """A journey of one train, or of two."""
    first, last = legs[0], legs[-1]
    stations = timetable.stations
    names = [
        stations[number].name for leg in legs for number in leg.departure.trip.stations[leg.board : leg.alight + 1]
    ]
    minutes = (last.arrives_at - first.departs_at) // 60_000_000
    changes = [stations[leg.departure.trip.stations[leg.board]].name for leg in legs[1:]]
    return {
        "train": " + ".join(leg.departure.train for leg in legs),
        "departures": [leg.departure.key for leg in legs],
        "leaves": _clock(timetable, first.departs_at).isoformat(),
        "arrives": _clock(timetable, last.arrives_at).isoformat(),
        "takes": f"{minutes // 60}:{minutes % 60:02}",
        "from": names[0],
        "to": names[-1],
        "change_at": changes,
        "stops": f"change at {changes[0]}" if changes else len(names) - 2,
        "calls": names,
    }


def _clock(timetable: Timetable, at: int) -> datetime:
    return to_datetime(at).astimezone(ZoneInfo(timetable.zone_name))

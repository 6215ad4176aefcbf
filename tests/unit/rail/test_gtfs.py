"""R1.12: a timetable is read whole or not at all; what is wrong with one is told with its file, line and field."""

from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import pytest

from shike.errors import BadFeed
from shike.rail.bounds import CALLS_MAX
from shike.rail.gtfs import last_day, read_feed
from tests.unit.rail.feeds import REAL, SMALL, read, real, written


def rows(file: str, *lines: str) -> str:
    """A file of the small feed with more lines."""
    return SMALL[f"{file}.txt"] + "".join(f"{line}\n" for line in lines)


def swapped(file: str, old: str, new: str) -> str:
    assert old in SMALL[f"{file}.txt"]
    return SMALL[f"{file}.txt"].replace(old, new, 1)


def test_the_real_feed_is_read_whole_and_the_trains_that_would_go_back_in_time_are_set_aside() -> None:
    feed = real()
    assert len(feed.timetable.stations) == 664
    assert len(feed.timetable.trips) == 6_063 - 3
    assert [(one.trip, one.line) for one in feed.problems] == [("2718", 41660), ("2721", 41729), ("4026", 59659)]
    assert feed.problem_count == 3 and "EN 452 would go back in time" in feed.problems[0].words
    assert (feed.timetable.first_day, last_day(feed)) == (date(2018, 12, 9), date(2019, 12, 14))
    runs = sum(trip.days.bit_count() for trip in feed.timetable.trips)
    assert runs == 267_967 and runs // 365 == 734  # 268,033 with those that were set aside


def test_the_traps_of_the_real_feed_are_in_it() -> None:
    trips = real().timetable.trips
    assert sum(len(set(trip.stations)) < len(trip.stations) for trip in trips) == 25
    assert max(trip.arrives_seconds[-1] for trip in trips) // 3600 == 44  # one to 57:40 is among those set aside
    assert max(map(len, (trip.stations for trip in trips))) == 42
    assert {trip.category for trip in trips} >= {"ICE", "IC", "EC", "NJ", "Bus"}


def test_a_folder_is_read_as_its_zip_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(written(tmp_path)) as archive:
        archive.extractall(tmp_path / "feed")
    folder, zipped = read_feed(tmp_path / "feed"), read(tmp_path)
    assert folder.timetable.trips == zipped.timetable.trips and len(zipped.timetable.trips) == 2


def test_byte_order_marks_quotes_line_breaks_and_blank_lines_change_nothing(tmp_path: Path) -> None:
    spoilt = {name.removesuffix(".txt"): f"\ufeff{text}".replace("\n", "\r\n\r\n") for name, text in SMALL.items()}
    spoilt["stops"] = '\ufeffstop_name, stop_id\n"Aachen\n Hbf",a\n"Köln ""Hbf""",b\nDüren,c\nBerlin Hbf,d\n'
    timetable = read(tmp_path, **spoilt).timetable
    assert [station.name for station in timetable.stations][:2] == ["Aachen Hbf", 'Köln "Hbf"']
    assert timetable.trips == read(tmp_path).timetable.trips


def test_calls_may_stand_in_any_order(tmp_path: Path) -> None:
    head, *lines = SMALL["stop_times.txt"].splitlines()
    turned = "\n".join([head, *reversed(lines)])
    assert read(tmp_path, stop_times=turned).timetable.trips == read(tmp_path).timetable.trips


def test_times_that_are_left_out_are_worked_out_evenly(tmp_path: Path) -> None:
    stops = swapped("stop_times", "t,08:30:00,08:32:00,c,2\nt,09:00:00,09:05:00,b,3", "t,,,c,2\nt,,,b,3")
    trip = read(tmp_path, stop_times=stops).timetable.trips[0]
    assert [at // 60 for at in trip.arrives_seconds] == [480, 580, 680, 780]
    one_sided = swapped("stop_times", "08:30:00,08:32:00", "08:30:00,")
    assert read(tmp_path, stop_times=one_sided).timetable.trips[0].departs_seconds[1] == (8 * 60 + 30) * 60


def test_where_passengers_may_not_board_or_alight_is_kept(tmp_path: Path) -> None:
    head, *lines = SMALL["stop_times.txt"].splitlines()
    stops = "\n".join(
        [f"{head},pickup_type,drop_off_type", *(f"{line},{'1' if ',c,' in line else ''},0" for line in lines)]
    )
    trip = read(tmp_path, stop_times=stops).timetable.trips[0]
    assert (trip.boarding, trip.alighting) == (0b1101, 0b1111)


def test_weekdays_and_single_days_together_make_a_service(tmp_path: Path) -> None:
    weekdays = (
        "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
        "daily,1,0,0,0,0,0,1,20190401,20190430\n"
    )
    only = read(tmp_path, calendar=weekdays, calendar_dates=None).timetable
    assert only.first_day == date(2019, 4, 1) and only.trips[0].days.bit_count() == 5 + 4
    dates = "service_id,date,exception_type\ndaily,20190408,2\ndaily,20190409,1\ndaily,20190410,2\n"
    both = read(tmp_path, calendar=weekdays, calendar_dates=dates).timetable
    days = [one.day.day for day in range(1, 31) for one in both.departures(date(2019, 4, day)) if one.train == "ICE 7"]
    assert days == [1, 7, 9, 14, 15, 21, 22, 28, 29]


def test_a_trip_that_cannot_be_true_is_set_aside_and_the_rest_is_good(tmp_path: Path) -> None:
    feed = read(tmp_path, stop_times=swapped("stop_times", "09:00:00,09:05:00", "09:00:00,08:05:00"))
    assert [trip.train for trip in feed.timetable.trips] == ["IC 9"]
    assert feed.problems[0].line == 4 and feed.problem_count == 1
    alone = read(tmp_path, trips=rows("trips", "r,daily,v"), stop_times=rows("stop_times", "v,1:00:00,1:00:00,a,1"))
    assert [(one.trip, one.words) for one in alone.problems] == [("v", "ICE 7 calls at fewer than two stations")]


@pytest.mark.parametrize(
    ("file", "text", "line", "field", "words"),
    [
        ("stops", None, 0, "", "the file is missing"),
        ("calendar_dates", None, 0, "", "when do its trains run"),
        ("stops", "", 1, "", "the file is empty"),
        ("stops", "stop_id,stop_lat\na,1\n", 1, "stop_name", "the field is missing; there are stop_id, stop_lat"),
        ("stops", "stop_id,stop_name,stop_id\na,A,a\n", 1, "stop_id", "is there twice"),
        ("stops", rows("stops", "a,Again,1,1"), 6, "stop_id", "was there before"),
        ("stops", rows("stops", ",Nameless,1,1"), 6, "stop_id", "is empty"),
        ("stops", rows("stops", "e, ,1,1"), 6, "stop_name", "must have a name"),
        ("stops", rows("stops", "e,E,north,1"), 6, "stop_lat", "'north' is no number"),
        ("stops", rows("stops", "e,E,nan,1"), 6, "stop_lat", "between -90 and 90"),
        ("stops", rows("stops", "e,E,1,181"), 6, "stop_lon", "between -180 and 180"),
        ("stops", rows("stops", "e,E,1,1,1"), 6, "", "the row has 5 fields"),
        ("stops", rows("stops", '"e\ne","E'), 6, "", "no row of a table"),
        ("stops", SMALL["stops.txt"].replace("ü", "\udcfc"), 1, "", "not UTF-8"),
        ("agency", rows("agency", "Y,Y,http://y.example,Asia/Tokyo"), 3, "agency_timezone", "has one time zone"),
        ("agency", swapped("agency", "Europe/Berlin", "Europe/Bonn"), 2, "agency_timezone", "Europe/Bonn"),
        ("agency", "agency_name,agency_timezone\n", 1, "", "no agency"),
        ("routes", rows("routes", "r,,ICE 8,2"), 4, "route_id", "was there before"),
        ("trips", rows("trips", "q,daily,v"), 4, "route_id", "no route of routes.txt"),
        ("trips", rows("trips", "r,never,v"), 4, "service_id", "no service"),
        ("trips", rows("trips", "r,daily,t"), 4, "trip_id", "was there before"),
        ("calendar_dates", rows("calendar_dates", "daily,20190230,1"), 8, "date", "no day of the calendar"),
        ("calendar_dates", rows("calendar_dates", "daily,2019-02-03,1"), 8, "date", "write YYYYMMDD"),
        ("calendar_dates", rows("calendar_dates", "daily,20190203,3"), 8, "exception_type", "neither 1"),
        ("calendar_dates", rows("calendar_dates", "daily,20990203,1"), 0, "", "are too many"),
        ("calendar_dates", "service_id,date,exception_type\n", 0, "", "no train runs"),
        ("stop_times", rows("stop_times", "v,1:00:00,1:00:00,a,1"), 9, "trip_id", "no trip of trips.txt"),
        ("stop_times", rows("stop_times", "u,26:00:00,26:00:00,z,10"), 9, "stop_id", "no stop of stops.txt"),
        ("stop_times", rows("stop_times", "u,26:00:00,26:60:00,b,10"), 9, "departure_time", "seconds to 59"),
        ("stop_times", rows("stop_times", "u,8 o'clock,26:00:00,b,10"), 9, "arrival_time", "HH:MM:SS"),
        ("stop_times", rows("stop_times", "u,240:00:00,240:00:00,b,10"), 9, "arrival_time", "hours below 240"),
        ("stop_times", rows("stop_times", "u,26:00:00,26:00:00,b,-1"), 9, "stop_sequence", "whole number"),
        ("stop_times", rows("stop_times", "u,26:00:00,26:00:00,b,9"), 9, "stop_sequence", "twice"),
        ("stop_times", rows("stop_times", "u,,,b,10"), 9, "arrival_time", "first and the last call"),
    ],
)  # fmt: skip
def test_a_broken_feed_is_refused_with_file_line_and_field(
    tmp_path: Path, file: str, text: str | None, line: int, field: str, words: str
) -> None:
    with pytest.raises(BadFeed) as refused:
        read(tmp_path, **{file: text})
    assert words in str(refused.value)
    assert (refused.value.file, refused.value.line, refused.value.field) == (f"{file}.txt", line, field)
    assert str(refused.value).startswith(f"{file}.txt:{line}: " if line else f"{file}.txt: ")


def test_weekdays_that_cannot_be_are_refused(tmp_path: Path) -> None:
    head = "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
    for row, field in (
        ("daily,1,1,1,1,1,1,yes,20190401,20190430", "sunday"),
        ("d,1,1,1,1,1,1,1,20190402,20190401", "end_date"),
    ):
        with pytest.raises(BadFeed) as refused:
            read(tmp_path, calendar=head + row, calendar_dates=None)
        assert (refused.value.file, refused.value.line, refused.value.field) == ("calendar.txt", 2, field)


def test_a_train_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFeed, match=r"^trips.txt:2: trip_short_name: neither the trip nor its route has a name$"):
        read(tmp_path, routes=swapped("routes", "ICE 7", " "))
    named = "route_id,service_id,trip_id,trip_short_name\nr,daily,t,ICE 70\ns,daily,u,\n"
    assert [trip.train for trip in read(tmp_path, trips=named).timetable.trips] == ["ICE 70", "IC 9"]


def test_a_trip_without_an_end_is_refused(tmp_path: Path) -> None:
    stops = rows("stop_times", *(f"t,14:00:00,14:00:00,a,{number}" for number in range(5, 5 + CALLS_MAX)))
    with pytest.raises(BadFeed, match="more than 255 calls"):
        read(tmp_path, stop_times=stops)


def test_what_is_no_feed_at_all_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(BadFeed, match="cannot be read: No such file"):
        read_feed(tmp_path / "nothing.zip")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(BadFeed, match="it is no zip archive"):
        read_feed(tmp_path / "text.zip")
    with zipfile.ZipFile(tmp_path / "deep.zip", "w") as archive:
        archive.writestr("2019/agency.txt", SMALL["agency.txt"])
    with pytest.raises(BadFeed, match=r"it is there as 2019/agency.txt, and must lie at the top"):
        read_feed(tmp_path / "deep.zip")


def test_a_file_that_is_cut_off_or_changed_on_the_disk_is_refused(tmp_path: Path) -> None:
    body = bytearray(REAL.read_bytes())
    (tmp_path / "cut.zip").write_bytes(body[: len(body) // 2])
    with pytest.raises(BadFeed, match="no zip archive"):
        read_feed(tmp_path / "cut.zip")
    body[600_000] ^= 0xFF
    (tmp_path / "bit.zip").write_bytes(body)
    with pytest.raises(BadFeed):
        read_feed(tmp_path / "bit.zip")

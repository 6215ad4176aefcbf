"""R1.12: whatever a feed's files hold, the answer is a timetable that holds together, or a `BadFeed`; nothing else."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from shike.errors import BadFeed
from shike.rail.gtfs import Feed, read_feed
from shike.rail.timetable import sections
from tests.unit.rail.feeds import SMALL

FILES = sorted(SMALL)
PIECES = st.sampled_from(
    ["", ",", '"', "\n", "\r", "\x00", "-1", "99999999999", "24:00:00", "é", "\ufeff", "t", "a", "0"]
)


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, bytes]:
    """The small feed, with a few places of its files overwritten, cut out, or moved."""
    files = {name: bytearray(text.encode()) for name, text in SMALL.items()}
    for _ in range(draw(st.integers(1, 4))):
        body = files[draw(st.sampled_from(FILES))]
        at = draw(st.integers(0, len(body)))
        length = draw(st.integers(0, 12))
        body[at : at + length] = draw(st.one_of(PIECES.map(str.encode), st.binary(max_size=3)))
    return {name: bytes(body) for name, body in files.items()}


def check(feed: Feed) -> None:
    timetable = feed.timetable
    for trip in timetable.trips:
        times = [time for pair in zip(trip.arrives_seconds, trip.departs_seconds, strict=True) for time in pair]
        assert times == sorted(times) and len(trip.stations) >= 2 and trip.train
        assert all(0 <= number < len(timetable.stations) for number in trip.stations)
        assert trip.days.bit_length() <= timetable.day_count
        assert all(board < alight for board, alight in sections(trip))
    for departure in timetable.departures(timetable.first_day):
        assert timetable.by_key(departure.key) == departure


@given(spoilt())
def test_a_spoilt_feed_is_a_timetable_or_refused(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        for name, body in files.items():
            Path(folder, name).write_bytes(body)
        try:
            feed = read_feed(Path(folder))
        except BadFeed as refused:
            assert refused.file in FILES and str(refused).startswith(refused.file)
        else:
            check(feed)

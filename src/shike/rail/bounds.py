"""The bounds of the railway: named constants with their reasons. Units stand last in the name."""

from __future__ import annotations

# A timetable.
FEED_FILE_BYTES_MAX = 1024 * 1024 * 1024  # of one file, unpacked: the largest feeds of whole countries have half of it
CALLS_MAX = 255  # of one trip: the longest train of the world has about 160
TIME_HOURS_MAX = 240  # of a service day: Moscow to Vladivostok takes 146
DAYS_MAX = 1_100  # of one feed: three years; a farther date is a slip of the pen
PROBLEMS_MAX = 1_000  # told of one feed; of further ones only the number
FIELD_CHARS_SHOWN = 60  # of a bad field, in its error

# Searching.
STATIONS_FOUND = 10  # by a name as it is typed
SUGGESTIONS = 3  # for a name that nothing has
NAME_CHARS_MAX = 100  # of a station, a train or a person
CHANGE_SECONDS_MIN = 10 * 60  # from one train to the next, in one station
CHANGE_SECONDS_MAX = 4 * 3600  # a longer wait is a visit
TRANSFERS_FOUND = 20

# A train.
CARS_MAX = 32  # two long units coupled
UNITS_MAX = 3_000  # seats and berths of one train: the largest has about 2,500
STANDING_MAX = 1_000

# An order.
PASSENGERS_MAX = 5  # as the source's railway sells
PRESALE_DAYS = 15  # so far ahead trains are sold
HOLD_SECONDS = 15 * 60  # unpaid seats are kept so long
SALE_ENDS_SECONDS = 5 * 60  # before the departure of the boarding station
REFUSALS_GATHERED_MAX = 100_000  # kinds of refusals that a process counts between two writes: 20 MB
PAYMENTS_MAX = 8  # tries to pay one order; each is a request to a gateway

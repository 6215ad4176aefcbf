"""What the railway takes over HTTP at most, each with its reason. Units stand last in the name."""

from __future__ import annotations

from typing import Final

BODY_BYTES_MAX: Final = 64 * 1024  # five passengers are less than one kilobyte
SESSION_SECONDS: Final = 60 * 86_400  # from the first day of presale to the end of every refund
ADDRESS_PER_SECOND: Final = 50.0  # questions of one address: a household, a school; not a scraper
ADDRESS_BURST: Final = 200.0  # a page with everything it shows, a few times over
SESSION_PER_SECOND: Final = 5.0  # deeds of one passenger
SESSION_BURST: Final = 30.0
SESSIONS_PER_SECOND: Final = 2.0  # new passengers of one address
SESSIONS_BURST: Final = 60.0
STATIONS_SHOWN: Final = 10
JOURNEYS_SHOWN: Final = 60  # direct ones of one day: between the two busiest stations there are about 50
CHANGES_SHOWN: Final = 6
ORDERS_SHOWN: Final = 50
DEPARTURES_SHOWN: Final = 1_000  # of one day: the largest timetables have several thousand, told in pages of a class
TRAINS_A_PAGE: Final = 50  # for staff: two screens
PAGES_MAX: Final = 1_000
INSTEAD_SHOWN: Final = 6
LOADS: Final = (0.8, 1.0, 1.2, 1.4, 1.6, 2.0)  # of which the advisor shows what would be earned
BUYERS_PLAYED_MAX: Final = 6_000  # by the advisor, of one policy: a full train twice over

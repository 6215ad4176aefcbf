"""From a departure to its ledger: the line of its calls, the pools of its classes, and the rules of its sale.

All pure. A position of the ledger is a position of the trip. People may board a call until shortly before its
departure; the share of a class that is sold online and the allotment of a station are rules, so the rest is sold
through the same ledger, and no seat twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from shike.errors import BadOrder, BadTrip
from shike.rail.bounds import SALE_ENDS_SECONDS
from shike.rail.composition import STANDING, Composition
from shike.rail.model import Departure
from shike.rail.timetable import Timetable, sections
from shike.reserve.commands import Open
from shike.reserve.model import Binding, Line, Measure, Pool, Rule, RuleKind, Sale

ONLINE: Final = "online"
OFFLINE: Final = "offline"
WHOLE_PERMILLE: Final = 1_000
MICROS: Final = 1_000_000


def line_of(timetable: Timetable, departure: Departure) -> Line:
    """The calls by name — a station that is called at again with its count — and until when each may be boarded."""
    seen: Counter[int] = Counter()
    labels = []
    for station in departure.trip.stations:
        seen[station] += 1
        again = f" ({seen[station]})" if seen[station] > 1 else ""
        labels.append(f"{timetable.stations[station].name}{again}")
    last = len(labels) - 1
    times = [departure.departs_at(position) - SALE_ENDS_SECONDS * MICROS for position in range(last)]
    return Line(tuple(labels), (*times, departure.arrives_at(last)))


def opening(
    timetable: Timetable,
    departure: Departure,
    composition: Composition,
    *,
    at: int,
    opens_at: int,
    online_permille: Mapping[str, int] | None = None,
    allotments: Mapping[str, Mapping[str, int]] | None = None,
    binding: Binding = Binding.ON_DEMAND,
) -> Open:
    """The command that opens the ledger of a departure; `departure.key` is its name. The same words make the same
    command, so it may be repeated. `online_permille` and `allotments`: as `share_rules` and `allotment_rules`."""
    line, pools = line_of(timetable, departure), composition.pools(binding=binding)
    rules = list(share_rules(pools, line.segments, online_permille or {}))
    sizes = {pool.name: pool for pool in pools}
    for name, seats in (allotments or {}).items():
        if name not in sizes:
            raise BadTrip(f"{departure.key} has no class {name!r} to allot; it has {', '.join(sizes)}")
        rules += allotment_rules(timetable, departure, sizes[name], seats)
    sales = (Sale(ONLINE, opens_at), Sale(OFFLINE, opens_at))
    return Open(f"open/{departure.key}", at, line, pools, tuple(rules), sales)


def share_rules(pools: tuple[Pool, ...], segments: int, online_permille: Mapping[str, int]) -> tuple[Rule, ...]:
    """For each class with a share (in thousandths): on each segment at most so many of its seats are sold online,
    rounded down, and at most the others offline (R1.4). Whoever stands has bought at a station, unless shared out."""
    rules = []
    shared = dict(online_permille)
    if any(pool.name == STANDING for pool in pools):
        shared.setdefault(STANDING, 0)
    sizes = {pool.name: pool.size for pool in pools}
    for name, permille in shared.items():
        if name not in sizes:
            raise BadOrder(f"there is no class {name!r} to share out; there are {', '.join(sizes)}")
        if not 0 <= permille <= WHOLE_PERMILLE:
            raise BadOrder(f"{permille} thousandths of {name} cannot be sold online: give 0 to 1000")
        online = sizes[name] * permille // WHOLE_PERMILLE
        for channel, count in ((ONLINE, online), (OFFLINE, sizes[name] - online)):
            rules.append(
                Rule(
                    f"{channel} share of {name}",
                    RuleKind.MAX,
                    count,
                    0,
                    segments,
                    measure=Measure.THICKNESS,
                    pools=(name,),
                    channels=(channel,),
                )
            )
    return tuple(rules)


def allotment_rules(
    timetable: Timetable, departure: Departure, pool: Pool, seats: Mapping[str, int]
) -> tuple[Rule, ...]:
    """So many may board at a station, whatever is free: a station whose seats are sold shows none (R1.14, D31). A
    station without an allotment has none left once all of the class is allotted to others. Where a train calls twice,
    the allotment is that of its first call."""
    total = sum(seats.values())
    if total > pool.size or any(count < 0 for count in seats.values()):
        raise BadOrder(f"{total} seats cannot be allotted: {pool.name} has {pool.size}, and each station 0 or more")
    rules, trip = [], departure.trip
    allotted = {timetable.stations.one(name): count for name, count in seats.items()}
    for station in allotted:
        if station not in trip.stations[:-1]:
            raise BadTrip(f"nobody boards {departure.key} at {timetable.stations[station].name}")
    for position, station in enumerate(trip.stations[:-1]):
        count = allotted.get(station, 0 if total == pool.size else None)
        if station in allotted and trip.stations.index(station) < position:
            count = 0
        if count is not None:
            rules.append(Rule(f"boarding at {position}", RuleKind.BOARD, count, position, pools=(pool.name,)))
    return tuple(rules)


def products(departure: Departure, composition: Composition) -> list[tuple[int, int, str]]:
    """Everything that one departure sells: (board, alight, class); 408 of 17 calls and three classes (R1.14)."""
    return [(board, alight, name) for name in composition.classes for board, alight in sections(departure.trip)]

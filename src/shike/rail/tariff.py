"""What a ride costs: tariffs as dated data, and pure functions over them.

A fare goes by distance in falling bands, so a longer ride of one train never costs less. Where no kilometres are known
they are worked out from the places of the calls along the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from importlib.resources import files
from itertools import accumulate, pairwise
from math import asin, cos, radians, sin, sqrt
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from shike.errors import BadFeed, UnknownTrain
from shike.rail.model import Station, Trip

EARTH_KM: Final = 6371.0
DETOUR: Final = 1.25  # rails are so much longer than the line between two stations
BAND_UNIT: Final = 100  # rates are hundredths of a cent
WHOLE: Final = 1_000  # thousandths

T = TypeVar("T", bound="Dated")


class Fare(StrEnum):
    """Who travels, to the tariff."""

    ADULT = "adult"
    CHILD = "child"
    STUDENT = "student"
    DISABLED = "disabled"


class Dated(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules by name, and the day from which tickets are sold by them."""

    name: str
    valid_from: date


class Tariff(Dated, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`classes`: bands (from kilometre, rate), the first from 0; `shares`: thousandths of the full fare."""

    currency: str
    rounding_cents: int
    minimum_cents: int
    shares: dict[Fare, int]
    classes: dict[str, tuple[tuple[int, int], ...]]

    def __post_init__(self) -> None:
        if self.rounding_cents < 1 or self.minimum_cents < 0:
            raise ValueError("rounding_cents is at least 1, minimum_cents at least 0")
        for name, bands in self.classes.items():
            starts = [start for start, _ in bands]
            if not bands or starts[0] != 0 or starts != sorted(set(starts)) or any(rate < 0 for _, rate in bands):
                raise ValueError(f"the bands of {name} must begin at 0 km and rise, with no rate below 0")
        if any(not 0 <= share <= WHOLE for share in self.shares.values()):
            raise ValueError("shares are thousandths, 0 to 1000")


def fare_cents(tariff: Tariff, class_: str, kilometres: float, kind: Fare = Fare.ADULT) -> int:
    """The price of one ride, in hundredths of the tariff's currency. Raises `UnknownTrain` for a class it has no fare
    of."""
    bands = tariff.classes.get(class_)
    if bands is None or kind not in tariff.shares:
        words = f"the tariff {tariff.name} has no fare of {class_} for {kind}; it has {', '.join(tariff.classes)}"
        raise UnknownTrain(words, suggestions=tuple(tariff.classes))
    metres = max(0, round(kilometres * 1_000))
    total = 0
    for (start, rate), end in zip(bands, [*(start for start, _ in bands[1:]), None], strict=True):
        top = metres if end is None else min(metres, end * 1_000)
        total += max(0, top - start * 1_000) * rate
    full = max(tariff.minimum_cents, _rounded(total, BAND_UNIT * 1_000, tariff.rounding_cents))
    return _rounded(full * tariff.shares[kind], WHOLE, tariff.rounding_cents)


def kilometres_of(stations: Sequence[Station], trip: Trip) -> tuple[float, ...]:
    """How far each call lies from the first, along the way. A call whose place is unknown counts as on the way."""
    known = [position for position, number in enumerate(trip.stations) if stations[number].latitude is not None]
    if len(known) < 2 or known[0] != 0 or known[-1] != trip.segments:
        raise UnknownTrain(f"where {trip.train} begins and ends is not known: its kilometres must be given")
    steps = [0.0] * len(trip.stations)
    for before, after in pairwise(known):
        length = DETOUR * _apart(stations[trip.stations[before]], stations[trip.stations[after]])
        for position in range(before + 1, after + 1):
            steps[position] = length / (after - before)
    return tuple(accumulate(steps))


def in_force(rules: Sequence[T], day: date) -> T:
    """Those that tickets are sold by on a day: the youngest that hold already. Raises `UnknownTrain`."""
    held = [rule for rule in rules if rule.valid_from <= day]
    if not held:
        raise UnknownTrain(f"no rules held on {day}; the first are of {min(rule.valid_from for rule in rules)}")
    return max(held, key=lambda rule: rule.valid_from)


def known_tariffs(currency: str) -> tuple[Tariff, ...]:
    """The tariffs in a currency that come with Shike: examples."""
    found = read_rules((files("shike.rail") / "data" / "tariffs.toml").read_bytes(), Tariff, "tariffs", "tariffs.toml")
    return tuple(tariff for tariff in found if tariff.currency == currency)


def read_rules(text: bytes, kind: type[T], field: str, file: str) -> tuple[T, ...]:
    """Dated rules from a TOML file: version 1 and one list. Names must differ. Raises `BadFeed`."""
    try:
        found = msgspec.toml.decode(text)
        if not isinstance(found, dict) or found.get("version") != 1:
            raise BadFeed("must begin with version = 1", file=file, field="version")
        rules = tuple(msgspec.convert(rule, kind) for rule in msgspec.convert(found.get(field), list[dict[str, Any]]))
    except (msgspec.DecodeError, ValueError) as error:
        if isinstance(error, BadFeed):
            raise
        raise BadFeed(str(error), file=file, field=field) from error
    names = [rule.name for rule in rules]
    if not names or len(set(names)) != len(names):
        raise BadFeed("must name at least one, each with a name of its own", file=file, field=field)
    return rules


def _rounded(amount: int, unit: int, step: int) -> int:
    """`amount / unit` to the nearest multiple of `step`, halves up."""
    return (2 * amount + unit * step) // (2 * unit * step) * step


def _apart(one: Station, other: Station) -> float:
    """The great circle between two stations in kilometres (haversine)."""
    assert one.latitude is not None and one.longitude is not None
    assert other.latitude is not None and other.longitude is not None
    first, second = radians(one.latitude), radians(other.latitude)
    east = radians(other.longitude - one.longitude)
    half = sin((second - first) / 2) ** 2 + cos(first) * cos(second) * sin(east / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))

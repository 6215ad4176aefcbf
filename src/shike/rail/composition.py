"""What a train is made of: its carriages in their order, and from them the pools of the ledger, one for each class."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from typing import Any, Final

import msgspec
from msgspec import Struct

from shike.errors import BadFeed, UnknownTrain
from shike.rail.bounds import CARS_MAX, STANDING_MAX, SUGGESTIONS, UNITS_MAX
from shike.rail.carriage import Carriage
from shike.reserve.model import Binding, Pool, Unit

STANDING: Final = "standing"  # the pool of those who stand: it has no units
SPREAD_UNTIL: Final = 0.4  # people sit apart until so much is taken: it costs nothing at full demand (measured)


class Car(Struct, frozen=True):
    """A carriage at its place in the train."""

    number: str
    carriage: Carriage


class Composition(Struct, frozen=True, dict=True):
    """The carriages of one train. Raises `UnknownTrain` where there are too many, or two of one number."""

    name: str
    cars: tuple[Car, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.cars) <= CARS_MAX or len({car.number for car in self.cars}) != len(self.cars):
            raise UnknownTrain(f"{self.name!r} must have 1 to {CARS_MAX} carriages, each with a number of its own")
        sizes = {pool.name: pool.size for pool in self.pools()}
        standing = sizes.pop(STANDING, 0)
        if sum(sizes.values()) > UNITS_MAX or standing > STANDING_MAX:
            raise UnknownTrain(
                f"{self.name!r} is larger than a train: {sum(sizes.values()):,} places, {standing:,} to stand"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the carriages."""
        return tuple(dict.fromkeys(car.carriage.class_ for car in self.cars))

    def pools(self, *, binding: Binding = Binding.ON_DEMAND) -> tuple[Pool, ...]:
        """A pool for each class, its units in the order of the carriages; and one without units for those who stand.

        `binding`: on demand a number may change until the train is sealed, so that no seat stays empty for want of a
        whole one; at sale it never does.
        """
        pools = [Pool(name, of, binding=binding, spread_until=SPREAD_UNTIL) for name, of in self._units.items()]
        standing = sum(car.carriage.standing for car in self.cars)
        if standing:
            pools.append(Pool(STANDING, capacity=standing, binding=Binding.NEVER))
        return tuple(pools)

    @cached_property
    def _units(self) -> dict[str, tuple[Unit, ...]]:
        """Those of each class: made once, for they are asked for with every hold."""
        units: dict[str, list[Unit]] = {name: [] for name in self.classes}
        for car in self.cars:
            units[car.carriage.class_] += car.carriage.units(car.number)
        return {name: tuple(of) for name, of in units.items()}


class Trains(Struct, frozen=True):
    """Which train has which carriages: its own name counts before its category."""

    compositions: Mapping[str, Composition]
    trains: Mapping[str, str]

    def of(self, train: str) -> Composition:
        """The composition of a train. Raises `UnknownTrain` where neither it nor its category has one."""
        category = train.partition(" ")[0].rstrip("0123456789")
        name = self.trains.get(train) or self.trains.get(category)
        if name is None:
            raise UnknownTrain(f"nothing is known of the carriages of {train}: it is not for sale")
        return self.compositions[name]


def class_of(composition: Composition, name: str) -> str:
    """A class (or `standing`) of a train, as it was asked for. Raises `UnknownTrain` with what there is."""
    have = [pool.name for pool in composition.pools()]
    if name in have:
        return name
    close = tuple(get_close_matches(name, have, n=SUGGESTIONS)) or tuple(have)
    raise UnknownTrain(f"there is no class {name[:40]!r} on this train; there are {', '.join(have)}", suggestions=close)


def read_trains(text: bytes, file: str = "trains.toml") -> Trains:
    """Read what trains are made of. Raises `BadFeed` that names the carriage or the composition."""
    try:
        found = msgspec.toml.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise BadFeed(f"is no TOML: {error}", file=file) from error
    if found.get("version") != 1:
        raise BadFeed("must begin with version = 1", file=file, field="version")
    carriages = {name: _carriage(file, name, fields) for name, fields in found.get("carriages", {}).items()}
    compositions = {
        name: _composition(file, name, fields, carriages) for name, fields in found.get("compositions", {}).items()
    }
    trains = found.get("trains", {})
    for train, name in trains.items():
        if name not in compositions:
            raise BadFeed(f"{name!r} is no composition of this file", file=file, field=f"trains.{train}")
    return Trains(compositions, trains)


def known_trains() -> Trains:
    """Those of the file that comes with Shike: an example."""
    return read_trains((files("shike.rail") / "data" / "trains.toml").read_bytes())


def _carriage(file: str, name: str, fields: Any) -> Carriage:
    try:
        renamed = {("class_" if field == "class" else field): value for field, value in dict(fields).items()}
        return msgspec.convert(renamed, Carriage)
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise BadFeed(str(error), file=file, field=f"carriages.{name}") from error


def _composition(file: str, name: str, fields: Any, carriages: Mapping[str, Carriage]) -> Composition:
    where = f"compositions.{name}"
    try:
        cars, first = msgspec.convert((fields["cars"], fields.get("first_number", 1)), tuple[tuple[str, ...], int])
    except (msgspec.ValidationError, TypeError, KeyError, AttributeError) as error:
        raise BadFeed(f"must have a list of cars: {error}", file=file, field=where) from error
    for kind in cars:
        if kind not in carriages:
            raise BadFeed(f"{kind!r} is no carriage of this file", file=file, field=where)
    placed = tuple(Car(f"{number:02}", carriages[kind]) for number, kind in enumerate(cars, first))
    try:
        return Composition(name, placed)
    except UnknownTrain as error:
        raise BadFeed(str(error), file=file, field=where) from error

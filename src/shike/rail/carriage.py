"""Carriages: which seats and berths one has, how they are numbered, and what each is like.

A row of seats is written from window to window, with a gap for the aisle: `ABC DF` is three, an aisle, two (E is left
out where F shall mean the window). A seat at an end of the row is at a *window*, one beside the gap on the *aisle*, the
others in the *middle*. Berths stand above each other in *tiers*; those of a compartment are together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from shike.errors import UnknownTrain
from shike.reserve.model import Unit

ROWS_MAX: Final = 99  # two digits
WINDOW, AISLE, MIDDLE = "window", "aisle", "middle"


class Carriage(Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of carriage: one class throughout.

    Seats have `letters` and are called by row and letter, `05F`, or from `numbers_from` on by number. Berths have
    `tiers` and are called by row and tier, `12 upper`; so many `compartment_rows` share a compartment.
    """

    class_: str
    rows: tuple[int, int]
    letters: str = ""
    tiers: tuple[str, ...] = ()
    compartment_rows: int = 1
    numbers_from: int = 0  # 0: by row and letter
    without: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()  # of all its places
    standing: int = 0  # people who may stand in it

    def __post_init__(self) -> None:
        low, high = self.rows
        if not 1 <= low <= high <= ROWS_MAX:
            raise UnknownTrain(
                f"rows {low} to {high} are none of a carriage: write the first and the last, to {ROWS_MAX}"
            )
        if bool(self.letters) == bool(self.tiers):
            raise UnknownTrain("a carriage has seats (letters) or berths (tiers), one of both")
        seats = self.letters.replace(" ", "")
        if len(set(seats)) != len(seats) or len(set(self.tiers)) != len(self.tiers) or self.compartment_rows < 1:
            raise UnknownTrain(f"{self.letters or self.tiers} names a place twice")
        missing = set(self.without) - {name for _, name, _ in self._places()}
        if missing:
            raise UnknownTrain(f"a carriage cannot be without {', '.join(sorted(missing))}: it has no such seat")

    def units(self, car: str) -> tuple[Unit, ...]:
        """Its places, in the order in which they stand. `area` is the carriage, `row` the row or the compartment."""
        kept = [place for place in self._places() if place[1] not in self.without]
        numbered = range(self.numbers_from, self.numbers_from + len(kept)) if self.numbers_from else [""] * len(kept)
        return tuple(
            Unit(f"{car}-{number or name}", row, car, (*attributes, *self.attributes))
            for (row, name, attributes), number in zip(kept, numbered, strict=True)
        )

    def _places(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """(row or compartment, name, attributes) of each place."""
        kinds = seat_kinds(self.letters)
        low, high = self.rows
        for row in range(low, high + 1):
            for letter, kind in kinds:
                yield f"{row:02}", f"{row:02}{letter}", (kind, letter)
            for tier in self.tiers:
                yield f"{(row - low) // self.compartment_rows + 1:02}", f"{row:02} {tier}", (tier,)


def seat_kinds(letters: str) -> list[tuple[str, str]]:
    """Each letter of a row with where it is."""
    kinds = []
    for at, letter in enumerate(letters):
        if letter == " ":
            continue
        if at in (0, len(letters) - 1):
            kind = WINDOW
        else:
            kind = AISLE if " " in letters[at - 1 : at + 2] else MIDDLE
        kinds.append((letter, kind))
    return kinds

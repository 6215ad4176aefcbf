"""A lease as its row says it: which runs it granted, and what has become of each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import compress

from shike.model import Manner
from shike.store.relational.link import Row
from shike.store.relational.records import unpack_ids, unpack_numbers
from shike.store.relational.tx import Tx
from shike.store.rows import OPEN, TAKEN


@dataclass(slots=True)
class LeaseRow:
    """One granted batch. `fates` holds a byte for each run, in the order of `ids`."""

    token: int
    holder: str  # the identity of its session
    session: int
    granted_at: int
    manner: Manner
    claim: int
    ids: array[int]
    facts: array[int]
    fates: bytearray
    _places: dict[int, int] = field(default_factory=dict)

    @property
    def open_ids(self) -> list[int]:
        return list(compress(self.ids, (fate == OPEN for fate in self.fates)))

    def place(self, run_id: int) -> int:
        """Where a run stands in it; -1: nowhere."""
        if not self._places:
            self._places = {run_id: place for place, run_id in enumerate(self.ids)}
        return self._places.get(run_id, -1)

    def holds(self, run_id: int) -> bool:
        place = self.place(run_id)
        return place >= 0 and self.fates[place] == OPEN

    def take_away(self) -> None:
        """What is still open of it is its session's no longer."""
        self.fates = bytearray(TAKEN if fate == OPEN else fate for fate in self.fates)


async def write_leases(tx: Tx, leases: Iterable[LeaseRow], now: int) -> None:
    """Put the fates into the rows. With nothing open a row stays as a receipt."""
    rows = []
    for lease in leases:
        left = lease.fates.count(OPEN)
        rows.append((lease.token, bytes(lease.fates), left, 0 if left else now))
    await tx.many("leases_write", rows)


def lease_of(row: Row) -> LeaseRow:
    """A row of (token, identity, session, granted_at, manner, claim, ids, facts, fates)."""
    token, holder, session, granted_at, manner, claim, ids, facts, fates = row
    numbers, places = unpack_numbers("i", facts), unpack_ids(ids)
    return LeaseRow(token, holder, session, granted_at, Manner(manner), claim, places, numbers, bytearray(fates))

"""A lease as its row says it: which runs it granted, and what has become of each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress

from shike.model import Manner
from shike.store.rows import OPEN
from shike.store.sqlite.records import listed, unpack_ids
from shike.store.sqlite.tx import Row, Tx

PLACES_KEPT = 256  # leases whose index is kept between two acknowledgements


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

    @property
    def open_ids(self) -> list[int]:
        return list(compress(self.ids, (fate == OPEN for fate in self.fates)))

    def write(self, tx: Tx, now: int) -> None:
        """Put the fates into the row. With nothing open it stays as a receipt."""
        left = self.fates.count(OPEN)
        tx.run("lease_write", bytes(self.fates), left, 0 if left else now, self.token)


def open_leases(tx: Tx, session: int, limit: int = -1) -> list[LeaseRow]:
    """The leases of a session that hold something, in the order of its claims."""
    return [_lease(row) for row in tx.all("leases_open", session, limit)]


def leases_of(tx: Tx, tokens: Iterable[int]) -> dict[int, LeaseRow]:
    """Leases by their tokens; what is not known is missing."""
    return {row[0]: _lease(row) for row in tx.all("leases_of", listed(tokens))}


def places(tx: Tx, lease: LeaseRow) -> dict[int, int]:
    """Where each run stands in a lease. That never changes, so it is worked out once."""
    found = tx.places.get(lease.token)
    if found is None:
        if len(tx.places) >= PLACES_KEPT:
            tx.places.clear()
        found = tx.places[lease.token] = {run_id: place for place, run_id in enumerate(lease.ids)}
    return found


def _lease(row: Row) -> LeaseRow:
    token, holder, session, granted_at, manner, claim, ids, facts, fates = row
    numbers = array("i")
    numbers.frombytes(facts)
    return LeaseRow(
        token, holder, session, granted_at, Manner(manner), claim, unpack_ids(ids), numbers, bytearray(fates)
    )

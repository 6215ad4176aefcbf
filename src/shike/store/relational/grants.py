"""What this process knows of the leases it was granted, so that the common end of a run is a single statement.

A worker settles what it was granted itself, so mostly it can say beforehand what the lease's row holds. The statement
that ends the runs compares that row with what was expected and changes nothing where it differs: then the caller looks
first, as if nothing were known here. So nothing depends on this memory but speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from shike.store.rows import OPEN
from shike.store.verbs import Ack

LEASES_KEPT: Final = 4_096  # of this process; older ones are looked up


@dataclass(slots=True)
class Granted:
    """One lease as its row should be once everything that was sent has been done."""

    holder: str
    session: int
    places: dict[int, int]  # run -> where it stands
    facts: Sequence[int]
    fates: bytes


class Ending(Struct, frozen=True, gc=False):
    """How the row of one lease should change: only from `old`."""

    token: int
    old: bytes
    new: bytes
    left: int


class Grants:
    """The latest leases of one process."""

    def __init__(self) -> None:
        self._known: dict[int, Granted] = {}

    def keep(self, token: int, holder: str, session: int, ids: Sequence[int], facts: Sequence[int]) -> None:
        if len(self._known) >= LEASES_KEPT:
            for old in list(self._known)[: LEASES_KEPT // 2]:
                self._known.pop(old, None)
        places = {run_id: place for place, run_id in enumerate(ids)}
        self._known[token] = Granted(holder, session, places, facts, bytes([OPEN]) * len(ids))

    def session_of(self, token: int) -> int:
        return self._known[token].session

    def endings(self, holder: str, acks: Sequence[Ack], *, holding: bool = False) -> list[Ending] | None:
        """How these acknowledgements change the rows of their leases, by token; None where that is not known, or where
        a run holds a permit or other runs back (with `holding`: also then). What is told is expected from now on."""
        fates: dict[int, bytearray] = {}
        for ack in acks:
            known = self._known.get(ack.token)
            place = -1 if known is None else known.places.get(ack.run_id, -1)
            if known is None or place < 0 or known.holder != holder or (known.facts[place] & 1 and not holding):
                return None
            row = fates.get(ack.token)
            if row is None:
                row = fates[ack.token] = bytearray(known.fates)
            if row[place] != OPEN:
                return None
            row[place] = ack.state.value
        endings = []
        for token in sorted(fates):
            known, new = self._known[token], bytes(fates[token])
            endings.append(Ending(token, known.fates, new, new.count(OPEN)))
            known.fates = new
        return endings

    def settled(self, endings: Sequence[Ending]) -> None:
        """They were done: what has nothing open is of no more use."""
        for ending in endings:
            if not ending.left:
                self._known.pop(ending.token, None)

    def forget(self, endings: Sequence[Ending]) -> None:
        """They were not done, or nobody knows."""
        for ending in endings:
            self._known.pop(ending.token, None)

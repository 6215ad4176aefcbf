"""Everything in the tables as records, from one state of the database; and the phases of a move.

A phase only adds triggers: making one waits for the transactions that write to its table, while dropping one would wait
for whoever reads, too. They go when nothing is refused any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shike.store.portable import ALL_TIME, MARKER_KEY, Marker, Phase, decoded, encoded
from shike.store.records import RECORDS_VERSION as V
from shike.store.records import (
    Kind,
    MarksRecord,
    PermitRecord,
    Place,
    Record,
    ScheduleRecord,
    record_of_ended,
    record_of_live,
)
from shike.store.relational.reads import leased
from shike.store.relational.schedules import planned_of
from shike.store.relational.tx import Tx
from shike.store.row_records import PLAIN, START
from shike.store.rows import ended_of, live_of


class Snapshot:
    """Reads pages in one transaction, which sees the database as it was when it began."""

    words = "one instant of the store"

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    async def read(self, kind: Kind, after: Place, limit: int, span: tuple[int, int] = ALL_TIME) -> Sequence[Record]:
        after = after or START[kind]
        match kind:
            case Kind.ENDED:  # by id, whatever the day
                rows = await self._tx.rows("read_ended", after[1], *span, limit)
                return [record_of_ended(ended_of(row)) for row in rows]
            case Kind.DEAD:
                return [record_of_ended(ended_of(row)) for row in await self._tx.rows("read_dead", after[1], limit)]
            case Kind.RUNS:
                held = await leased(self._tx)
                rows = await self._tx.rows("read_runs", *after, limit)
                return [record_of_live(live_of(row, held.get(row[0], 0))) for row in rows]
            case Kind.PERMITS:
                return await self._permits(after, limit)
            case Kind.MARKS:
                return [MarksRecord(V, *row) for row in await self._tx.rows("read_marks")]
            case Kind.SCHEDULES:
                rows = await self._tx.rows("read_schedules", *after, limit)
                return [ScheduleRecord(V, planned_of(row)) for row in rows]
            case _:
                statement, make = PLAIN[kind]
                return [make(row) for row in await self._tx.rows(statement, *after, limit)]

    async def _permits(self, after: Place, limit: int) -> list[Record]:
        keys = [key for (key,) in await self._tx.rows("read_permits", *after, limit)]
        holders: dict[str, list[int]] = {key: [] for key in keys}
        for key, run_id in await self._tx.rows("holders_of", keys):
            holders[key].append(run_id)
        return [PermitRecord(V, key, tuple(holders[key])) for key in keys]


_LIFTED: Final = frozenset({Phase.COPYING, Phase.OPENED})
_STEPS: Final[dict[Phase, tuple[str, ...]]] = {
    Phase.COPYING: (),
    Phase.DRAINING: ("restrict_draining",),
    Phase.SEALED: ("restrict_draining", "restrict_joining", "restrict_sealed"),
    Phase.MOVED: ("restrict_draining", "restrict_joining", "restrict_sealed", "restrict_moved"),
    Phase.LOADING: ("restrict_draining", "restrict_joining"),
    Phase.OPENED: (),
}


async def restrict(tx: Tx, marker: Marker | None) -> None:
    """`Portable.restrict`."""
    await tx.begin()
    if marker is None or marker.phase in _LIFTED:
        await tx.rows("restrict_lift")
    if marker is None:
        await tx.run("control_delete", MARKER_KEY)
        return
    if steps := _STEPS[marker.phase]:
        await tx.rows("restrict_words")
        for step in steps:
            await tx.rows(step)
    await tx.run("restrict_mark", encoded(marker))


async def marker(tx: Tx) -> Marker | None:
    """`Portable.marker`."""
    rows = await tx.rows("controls")
    return next((decoded(bytes(value)) for key, value, _ in rows if key == MARKER_KEY), None)

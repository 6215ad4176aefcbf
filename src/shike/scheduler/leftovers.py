"""Control rows of runs that are over: who approved of one, and how a gang came together. They go when their runs do."""

from __future__ import annotations

from collections.abc import Iterator

from shike.clock import MICROS
from shike.errors import Conflict
from shike.store.base import Control, Store
from shike.store.verbs import Retention
from shike.track import gang
from shike.track.approval import APPROVAL_KEY

LOOKED_AT = 500  # runs, in one look


async def sweep(store: Store, keep: Retention) -> int:
    """Drop rows of runs that are not kept any more; how many went. A row that somebody writes meanwhile stays."""
    return await _approvals(store) + await _gangs(store, keep)


async def _approvals(store: Store) -> int:
    rows = await store.controls(APPROVAL_KEY)
    gone = 0
    for part in _parts(rows):
        ids = {row.key: int(row.key.removeprefix(APPROVAL_KEY)) for row in part}
        over = await store.outcomes(list(ids.values()))
        for row in part:
            run_id = ids[row.key]
            if run_id not in over and await store.find(run_id) is None:
                gone += await _drop(store, row)
    return gone


async def _gangs(store: Store, keep: Retention) -> int:
    """Once nothing was written for as long as a success is kept, and none of those that had a slot is alive."""
    rows, gone = await store.controls(gang.GANG_KEY), 0
    before = await store.now() - round(keep.success_seconds * MICROS) if rows else 0
    for row in rows:
        muster = gang.decoded(row.value)
        if muster.at < before and not [one for one in muster.places if await store.live(int(one)) is not None]:
            gone += await _drop(store, row)
    return gone


async def _drop(store: Store, row: Control) -> int:
    try:
        await store.put(row.key, None, expect=row.version)
    except Conflict:
        return 0
    return 1


def _parts(rows: list[Control]) -> Iterator[list[Control]]:
    for start in range(0, len(rows), LOOKED_AT):
        yield rows[start : start + LOOKED_AT]

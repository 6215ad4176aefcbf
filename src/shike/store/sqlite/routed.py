"""What is routed: halls, and workers' own lanes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from shike.bounds import BANDS
from shike.lanes import lane_of_worker, worker_of
from shike.model import Attempt, Live, State
from shike.store.base import STANDING_COUNTED, Standing
from shike.store.decided import decisions_of
from shike.store.rows import QUEUE_BITS, SUSPECT, Facts, band_of, lane_of, live_of, unpack_attempt, unpack_run
from shike.store.sqlite.outcomes import enter
from shike.store.sqlite.records import listed
from shike.store.sqlite.tx import Tx
from shike.store.verbs import Move


class Routed:
    """The read side of a store, as far as it is about lanes."""

    if TYPE_CHECKING:
        _read: Callable[..., Awaitable[Any]]

    async def decisions(self, run_id: int) -> list[Attempt]:
        found: list[Attempt] = await self._read(decisions, run_id)
        return found

    async def lanes(self) -> list[Standing]:
        found: list[Standing] = await self._read(lanes)
        return found

    async def standing(self, lane: str, limit: int) -> list[Live]:
        found: list[Live] = await self._read(standing, lane, limit)
        return found

    async def of_band(self, lane: str, band: int, after: int, limit: int) -> list[Live]:
        found: list[Live] = await self._read(of_band, lane, band, after, limit)
        return found


def assign(tx: Tx, run: Facts, wanted: Move, lane: int, run_at: int) -> None:
    """Into the own lane of a worker. It has left where it stood; `lane`: where it comes back to."""
    name = lane_of_worker(unpack_run(run.body).queue, wanted.worker)
    place = lane_of(tx.names.number(name), band_of(lane), suspect=bool(lane & SUSPECT))
    tx.run("run_assign", State.ASSIGNED.value, lane, place, run_at, run.id)
    if wanted.note:
        tx.many("attempt_write", [(run.id, -(run.version + 1), wanted.note)])
    enter(tx, [(place, run_at, run.id, run.task)], tx.now)


def is_closed(tx: Tx, session: str) -> bool:
    return tx.one("session_is_open", session) is None


def worker(tx: Tx, state: int, place: int) -> str:
    """In whose lane a run was put."""
    return worker_of(tx.names.text(place >> QUEUE_BITS)) if state == State.ASSIGNED else ""


def lanes(tx: Tx) -> list[Standing]:
    now = tx.now
    runs: dict[str, int] = defaultdict(int)
    first_at: dict[str, int] = {}
    for lane, count, first in tx.all("lanes_routed", now, STANDING_COUNTED):
        if count:
            name = tx.names.text(lane >> QUEUE_BITS)
            runs[name] += count
            first_at[name] = min(first, first_at.get(name, first))
    return [Standing(name, min(runs[name], STANDING_COUNTED), first_at[name]) for name in sorted(runs)]


def standing(tx: Tx, name: str, limit: int) -> list[Live]:
    number = tx.names.seen(name)
    found: list[Live] = []
    for band in range(BANDS) if number else ():
        ids = [
            run_id
            for suspect in (False, True)
            for (run_id,) in tx.all("lane_standing", lane_of(number, band, suspect=suspect), tx.now, limit)
        ]
        if ids:
            rows = tx.all("run_facts", listed(ids))
            runs = [live_of(row, worker=worker(tx, row[1], row[14])) for row in rows]
            found += sorted(runs, key=lambda live: (live.run_at, live.run.id))
        if len(found) >= limit:
            break
    return found[:limit]


def of_band(tx: Tx, name: str, band: int, after: int, limit: int) -> list[Live]:
    number = tx.names.seen(name)
    ids = [run_id for (run_id,) in tx.all("lane_from", lane_of(number, band), after, tx.now, limit)] if number else []
    rows = tx.all("run_facts", listed(ids)) if ids else []
    runs = [live_of(row, worker=worker(tx, row[1], row[14])) for row in rows]
    return sorted(runs, key=lambda live: (live.run_at, live.run.id))


def decisions(tx: Tx, run_id: int) -> list[Attempt]:
    return decisions_of(unpack_attempt(body) for (body,) in tx.all("attempts_of", run_id))

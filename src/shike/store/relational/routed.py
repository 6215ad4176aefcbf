"""What is routed: halls, and workers' own lanes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from shike.lanes import lane_of_worker, worker_of
from shike.model import Attempt, Live, State
from shike.store.base import STANDING_COUNTED, Standing
from shike.store.decided import decisions_of
from shike.store.relational.link import Row
from shike.store.relational.outcomes import tell_due
from shike.store.relational.tx import Tx
from shike.store.rows import (
    LANES_PER_QUEUE,
    QUEUE_BITS,
    SUSPECT,
    Facts,
    band_of,
    lane_of,
    live_of,
    unpack_attempt,
    unpack_run,
)
from shike.store.verbs import Move


class Assignments:
    """Runs on their way into workers' own lanes, as one step of moves writes them."""

    def __init__(self, tx: Tx, now: int) -> None:
        self._tx = tx
        self._now = now
        self._open: set[str] = set()
        self._rows: list[tuple[int, int, int, int, int]] = []  # run, lane to come back to, lane, run_at, permits
        self._notes: list[tuple[int, int, bytes]] = []

    async def prepare(self, moves: Iterable[Move]) -> None:
        """Which of their workers are there."""
        workers = sorted({wanted.worker for wanted in moves if wanted.worker})
        if workers:
            self._open = {session for session, closed in await self._tx.rows("sessions_closed", workers) if not closed}

    def may(self, wanted: Move) -> bool:
        """Whether its worker is open: the names of lanes of those that are forgotten are, too."""
        return not wanted.worker or wanted.worker in self._open

    def add(self, run: Facts, wanted: Move, lane: int, run_at: int) -> None:
        name = lane_of_worker(unpack_run(run.body).queue, wanted.worker)
        place = lane_of(self._tx.names.number(name), band_of(lane), suspect=bool(lane & SUSPECT))
        self._rows.append((run.id, lane, place, run_at, run.holding))
        if wanted.note:
            self._notes.append((run.id, -(run.version + 1), wanted.note))

    async def write(self) -> None:
        await self._tx.many("runs_assign", self._rows)
        await self._tx.many("attempts_write", self._notes)
        await tell_due(self._tx, ((place, run_at) for _, _, place, run_at, _ in self._rows), self._now)


async def learn(tx: Tx, moves: Sequence[Move]) -> None:
    """Have the names of the lanes ready that these moves may need: a transaction of its own, so before."""
    if rerouted := [move.run.queue for move in moves if move.run is not None]:
        await tx.learn(rerouted)
    wanted = [move for move in moves if move.worker]
    if wanted:
        rows = await tx.look("runs_homes", sorted({move.run_id for move in wanted}))
        queues = {run_id: unpack_run(body).queue for run_id, body in rows}
        await tx.learn(lane_of_worker(queues[move.run_id], move.worker) for move in wanted if move.run_id in queues)


async def call_workers(tx: Tx, rows: Iterable[Row], state: int, place: int) -> None:
    """Have the names ready of the lanes in which these rows stand; `state` and `place`: the columns."""
    await tx.call_by_name(row[place] >> QUEUE_BITS for row in rows if row[state] == State.ASSIGNED)


def worker(tx: Tx, state: int, place: int) -> str:
    """In whose lane a run was put; `call_workers` first."""
    return worker_of(tx.names.text(place >> QUEUE_BITS)) if state == State.ASSIGNED else ""


async def lanes(tx: Tx) -> list[Standing]:
    rows = [row for row in await tx.look("lanes_routed", tx.given, STANDING_COUNTED) if row[1]]
    await tx.call_by_name(lane >> QUEUE_BITS for lane, _, _ in rows)
    runs: dict[str, int] = defaultdict(int)
    first_at: dict[str, int] = {}
    for lane, count, first in rows:
        name = tx.names.text(lane >> QUEUE_BITS)
        runs[name] += count
        first_at[name] = min(first, first_at.get(name, first))
    return [Standing(name, min(runs[name], STANDING_COUNTED), first_at[name]) for name in sorted(runs)]


async def standing(tx: Tx, name: str, limit: int) -> list[Live]:
    numbers = await tx.seen(name)
    if numbers is None:
        return []
    low = lane_of(numbers[0], 0)
    rows = await tx.look("lane_standing", tx.given, low, low + LANES_PER_QUEUE - 1, limit)
    await call_workers(tx, rows, 1, 14)
    return [live_of(row, worker=worker(tx, row[1], row[14])) for row in rows]


async def of_band(tx: Tx, name: str, band: int, after: int, limit: int) -> list[Live]:
    numbers = await tx.seen(name)
    if numbers is None:
        return []
    rows = await tx.look("lane_from", tx.given, lane_of(numbers[0], band), after, limit)
    await call_workers(tx, rows, 1, 14)
    return [live_of(row, worker=worker(tx, row[1], row[14])) for row in rows]


async def decisions(tx: Tx, run_id: int) -> list[Attempt]:
    return decisions_of(unpack_attempt(body) for (body,) in await tx.look("attempts_of", run_id))

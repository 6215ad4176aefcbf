"""The read side. A read is one statement, or several on one state of the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress, islice

from shike.ids import virtual_bucket
from shike.model import Attempt, Bucket, Ended, Fate, Live, Planned, ScheduleVersion, Session, State, TimetableRow
from shike.store.base import Control, Counts, Gated, RunFilter, by_queue_name
from shike.store.decided import attempts_of
from shike.store.relational.link import Row
from shike.store.relational.records import unpack_ids
from shike.store.relational.routed import call_workers, worker
from shike.store.relational.schedules import planned_of, version_of
from shike.store.relational.sessions import bucket_of, session_of
from shike.store.relational.tx import Tx
from shike.store.rows import OPEN, QUEUE_BITS, ended_of, live_of, unpack_attempt

LAST_ID = (1 << 63) - 1
ID_BYTES = 8  # of a run in a lease


async def now(tx: Tx) -> int:
    if tx.given is not None:
        return tx.given
    return int((await tx.look("clock"))[0][0])


async def live(tx: Tx, run_id: int) -> Live | None:
    """A row for each open lease whose ids hold these bytes, wherever they begin; one without where none does."""
    rows = await tx.look("run_live", run_id, run_id.to_bytes(ID_BYTES, "big"))
    if not rows:
        return None
    token = _token(run_id, (row[14:17] for row in rows if row[14] is not None))
    await call_workers(tx, rows, 1, 17)
    return live_of(rows[0], token, worker(tx, rows[0][1], rows[0][17]))


def _token(run_id: int, leases: Iterable[Row]) -> int:
    """The open lease of these (token, ids, fates) that holds a run; 0: none."""
    for token, ids, fates in leases:
        if run_id in compress(unpack_ids(ids), (fate == OPEN for fate in fates)):
            return int(token)
    return 0


async def ended(tx: Tx, run_id: int) -> Ended | None:
    rows = await tx.look("run_ended", run_id)
    return ended_of(rows[0]) if rows else None


async def outcomes(tx: Tx, run_ids: Sequence[int]) -> dict[int, Ended]:
    found = map(ended_of, await tx.look("over_of_runs", list(run_ids))) if run_ids else ()
    return {one.run.id: one for one in found}


async def find(tx: Tx, run_id: int) -> Live | Ended | None:
    """Live first: what ends between the two looks is found by the second."""
    return await live(tx, run_id) or await ended(tx, run_id)


async def attempts(tx: Tx, run_id: int) -> list[Attempt]:
    return attempts_of(unpack_attempt(body) for (body,) in await tx.look("attempts_of", run_id))


# -------------------------------------------------------------------- lists of runs


async def runs(tx: Tx, wanted: RunFilter) -> list[Live | Ended]:
    """The newest that fit, of the live ones and of those that are over."""
    numbers = await tx.seen(wanted.task, wanted.queue, wanted.schedule)
    if numbers is None:
        return []
    await tx.snapshot()
    instant = await tx.now()
    states = [int(state) for state in wanted.states]
    values = [wanted.before or LAST_ID, *numbers, wanted.key, bool(states), states]
    found: list[Live | Ended] = []
    if wanted.may_be_over:
        found += [ended_of(row) for row in await tx.rows("runs_ended", *values, wanted.limit)]
    rows = await tx.rows("runs_live", *values, instant, wanted.limit) if wanted.may_live else []
    holders = await leased(tx) if any(row[14] for row in rows) else {}
    await call_workers(tx, rows, 1, 15)
    found += [live_of(row, holders.get(row[0], 0) if row[14] else 0, worker(tx, row[1], row[15])) for row in rows]
    return sorted(found, key=lambda row: row.run.id, reverse=True)[: wanted.limit]


async def leased(tx: Tx) -> dict[int, int]:
    """Every leased run and the lease that holds it."""
    return {
        run_id: token
        for token, ids, fates in await tx.rows("leases_open")
        for run_id in compress(unpack_ids(ids), (fate == OPEN for fate in fates))
    }


async def dead(tx: Tx, limit: int, before: int, task: str) -> list[Ended]:
    numbers = await tx.seen(task)
    if numbers is None:
        return []
    return [ended_of(row) for row in await tx.look("dead_letters", before or LAST_ID, *numbers, limit)]


async def unsuccessful(tx: Tx, since: int, behind: int, limit: int) -> list[Ended]:
    found = map(ended_of, await tx.look("unsuccessful", since, behind, limit))
    return sorted(found, key=lambda row: (row.ended_at, row.run.id))[:limit]


# -------------------------------------------------------------------- what is ahead


async def due(tx: Tx, low: int, high: int, after: int, until: int, limit: int) -> list[tuple[int, str]]:
    buckets = tx.facts.virtual_buckets
    window = (tx.given, after, until, limit)
    if low <= 0 and high >= buckets - 1:
        rows = await tx.look("due", *window)
    else:
        rows = await tx.look("due_within", *window, buckets, low, high)
    await tx.call_by_name(lane >> QUEUE_BITS for _, lane, _ in rows)
    overdue: dict[str, int] = {}
    ahead: set[tuple[int, str]] = set()
    for at, lane, has_come in rows:
        queue = tx.names.text(lane >> QUEUE_BITS)
        if has_come:
            overdue[queue] = min(at, overdue.get(queue, at))
        else:
            ahead.add((at, queue))
    return sorted(ahead.union((at, queue) for queue, at in overdue.items()))[:limit]


async def gated(tx: Tx, low: int, high: int, after: int, until: int, limit: int) -> list[Gated]:
    rows = await tx.look("gated", tx.given, after, until, limit, tx.facts.virtual_buckets, low, high)
    return [Gated(*row) for row in rows]


async def gate_waiters(tx: Tx, gate: str, limit: int) -> list[Gated]:
    return [Gated(*row) for row in await tx.look("gate_waiters", gate, limit)]


async def holders(tx: Tx, gate: str) -> list[int]:
    return [run_id for _, run_id in await tx.look("holders_of", [gate])]


# -------------------------------------------------------------------- schedules


async def schedule(tx: Tx, name: str) -> Planned | None:
    rows = await tx.look("schedule_find", name)
    return planned_of(rows[0]) if rows else None


async def schedules(tx: Tx) -> list[Planned]:
    found = [planned_of(row) for row in await tx.look("schedules")]
    return sorted(found, key=lambda planned: planned.schedule.name)


async def versions(tx: Tx, name: str) -> list[ScheduleVersion]:
    return [version_of(row) for row in await tx.look("versions", name)]


async def to_plan(tx: Tx, low: int, high: int, until: int, limit: int) -> list[Planned]:
    buckets = tx.facts.virtual_buckets
    ripe = [planned_of(row) for row in await tx.look("schedules_to_plan", until)]
    mine = (planned for planned in ripe if low <= virtual_bucket(planned.schedule.name, buckets) <= high)
    return list(islice(sorted(mine, key=lambda planned: (planned.plan_at, planned.schedule.name)), limit))


async def timetable(tx: Tx, name: str, start: int, end: int) -> list[TimetableRow]:
    return [_timetable_row(name, row) for row in await tx.look("timetable", name, start, end)]


def _timetable_row(name: str, row: Row) -> TimetableRow:
    version, moment, until, count, fate, run_id, due_at, state = row
    return TimetableRow(name, version, moment, until, count, Fate(fate), run_id, due_at, state)


# -------------------------------------------------------------------- who is there, and how much


async def present(tx: Tx) -> list[Session]:
    return [session_of(row) for row in await tx.look("sessions_present")]


async def listed_sessions(tx: Tx, limit: int) -> list[Session]:
    return [session_of(row) for row in reversed(await tx.look("sessions_newest", limit))]


async def left_over(tx: Tx) -> list[Session]:
    return [session_of(row) for row in await tx.look("sessions_left_over")]


async def held(tx: Tx, session: str) -> int:
    return int((await tx.look("held", session))[0][0])


async def buckets(tx: Tx) -> list[Bucket]:
    return [bucket_of(row) for row in await tx.look("buckets")]


async def controls(tx: Tx, prefix: str) -> list[Control]:
    rows = await tx.look("controls_of", prefix)
    found = [Control(key=key, value=value, version=version) for key, value, version in rows]
    return sorted((row for row in found if row.key.startswith(prefix)), key=lambda row: row.key)


async def counts(tx: Tx) -> Counts:
    """One statement of rows (kind, key, count)."""
    rows = await tx.look("counts", tx.given)
    single = {kind: int(count) for kind, _, count in rows if kind not in ("queue", "ended")}
    by_queue = {int(key): int(count) for kind, key, count in rows if kind == "queue"}
    await tx.call_by_name(by_queue)
    ends = {State(key).name: int(count) for kind, key, count in rows if kind == "ended" and count}
    letters = single["dead"]
    return Counts(
        waiting=single["waiting"],
        scheduled=single["ahead"] - single["failed"],
        eligible=single["eligible"],
        running=single["running"],
        failed=single["failed"],
        ended=ends | ({State.DEAD.name: letters} if letters else {}),
        dead=letters,
        by_queue=by_queue_name((tx.names.text(queue), count) for queue, count in by_queue.items()),
    )

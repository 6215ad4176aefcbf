"""The read side: on a connection of its own, each group of reads in one snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import compress, islice
from operator import itemgetter

from shike.ids import virtual_bucket
from shike.model import IN_LANE, Attempt, Bucket, Ended, Fate, Live, Planned, Session, State, TimetableRow
from shike.store.base import Control, Counts, Gated, RunFilter, by_queue_name
from shike.store.decided import attempts_of
from shike.store.rows import OPEN, QUEUE_BITS, ended_of, live_of, unpack_attempt
from shike.store.sqlite import ended as over
from shike.store.sqlite.change import is_running
from shike.store.sqlite.outcomes import runs_of
from shike.store.sqlite.records import listed, unpack_ids
from shike.store.sqlite.routed import worker
from shike.store.sqlite.schedules import find as find_schedule
from shike.store.sqlite.schedules import planned_of
from shike.store.sqlite.sessions import bucket_of, session_of
from shike.store.sqlite.tx import DAY_MICROS, Row, Tx

LAST_ID = (1 << 63) - 1
_EVERY_STATE = "[]"


def now(tx: Tx) -> int:
    return tx.now


def live(tx: Tx, run_id: int) -> Live | None:
    run = runs_of(tx, [run_id]).get(run_id)
    if run is None:
        return None
    token = _token(tx, run_id) if is_running(tx, run) else 0
    return live_of(tx.all("run_facts", listed([run_id]))[0], token, worker(tx, run.state, run.place))


def _token(tx: Tx, run_id: int) -> int:
    """The open lease that holds a run."""
    for token, ids, fates in tx.all("leases_with", run_id.to_bytes(8, "little")):
        if run_id in compress(unpack_ids(ids), (fate == OPEN for fate in fates)):
            return int(token)
    return 0


def leased(tx: Tx) -> dict[int, int]:
    """Every leased run and the lease that holds it."""
    return {
        run_id: token
        for token, ids, fates in tx.all("leases_all_open")
        for run_id in compress(unpack_ids(ids), (fate == OPEN for fate in fates))
    }


def ended(tx: Tx, run_id: int) -> Ended | None:
    return over.find(tx, run_id)


def outcomes(tx: Tx, run_ids: Sequence[int]) -> dict[int, Ended]:
    return over.found(tx, run_ids)


def find(tx: Tx, run_id: int) -> Live | Ended | None:
    return live(tx, run_id) or over.find(tx, run_id)


def attempts(tx: Tx, run_id: int) -> list[Attempt]:
    packed = [body for (body,) in tx.all("attempts_of", run_id)]
    last = over.find(tx, run_id)
    if last is not None and last.trace:
        packed.append(last.trace)
    return attempts_of(map(unpack_attempt, packed))


# -------------------------------------------------------------------- lists of runs


def runs(tx: Tx, wanted: RunFilter) -> list[Live | Ended]:
    """The newest that fit, of the live ones and of every table of ended ones."""
    conditions = _conditions(tx, wanted)
    if conditions is None:
        return []
    found: list[Live | Ended] = []
    if wanted.may_live:
        found += islice(_live_runs(tx, wanted, conditions), wanted.limit)
    states = listed(wanted.states)
    sources = [tx.all("runs_dead", *conditions, states, states, wanted.limit)] if wanted.may_be_over else []
    for day in over.days(tx) if wanted.may_be_history else ():
        sources.append(tx.dated("runs_history", day, *conditions, states, states, wanted.limit).fetchall())
    found += [ended_of(row) for rows in sources for row in rows]
    return sorted(found, key=lambda row: row.run.id, reverse=True)[: wanted.limit]


def _conditions(tx: Tx, wanted: RunFilter) -> list[object] | None:
    """The values of a filter as the statements take them; None where a name was never heard, so nothing fits."""
    values: list[object] = [wanted.before or LAST_ID]
    for name in (wanted.task, wanted.queue, wanted.schedule):
        number = tx.names.seen(name)
        if name and not number:
            return None
        values += [number, number]
    return [*values, wanted.key, wanted.key]


def _live_runs(tx: Tx, wanted: RunFilter, conditions: list[object]) -> Iterator[Live]:
    for row in tx.run("runs_live", *conditions):
        waits, in_lane = row[1] == State.WAITING, row[14]
        found = live_of(row, 0 if waits or in_lane else _token(tx, row[0]), worker(tx, row[1], row[15]))
        if not wanted.states or _fits(found, wanted.states, tx.now):
            yield found


def _fits(found: Live, states: tuple[State, ...], instant: int) -> bool:
    """PENDING is a predicate: in a lane, and eligible."""
    if found.state in states:
        return True
    return State.PENDING in states and found.state in IN_LANE and found.run_at <= instant


def dead(tx: Tx, limit: int, before: int, task: str) -> list[Ended]:
    number = tx.names.seen(task)
    if task and not number:
        return []
    return [ended_of(row) for row in tx.all("dead_letters", before or LAST_ID, number, number, limit)]


def unsuccessful(tx: Tx, since: int, behind: int, limit: int) -> list[Ended]:
    values = since, since, behind, limit
    rows = list(tx.all("dead_unsuccessful", *values))
    for day in sorted(over.days(tx)):
        if day >= since // DAY_MICROS:
            rows += tx.dated("history_unsuccessful", day, *values).fetchall()
    return sorted(map(ended_of, rows), key=lambda row: (row.ended_at, row.run.id))[:limit]


# -------------------------------------------------------------------- what is ahead


def due(tx: Tx, low: int, high: int, after: int, until: int, limit: int) -> list[tuple[int, str]]:
    instant = tx.now
    overdue: dict[str, int] = {}
    ahead: set[tuple[int, str]] = set()
    for (lane,) in tx.all("lanes_all"):
        queue = tx.names.text(lane >> QUEUE_BITS)
        for run_at in _instants(tx, lane, low, high, after, min(until, instant), 1):
            overdue[queue] = min(run_at, overdue.get(queue, run_at))
        ahead.update((at, queue) for at in _instants(tx, lane, low, high, max(after, instant), until, limit))
    return sorted(ahead.union((run_at, queue) for queue, run_at in overdue.items()))[:limit]


def _instants(tx: Tx, lane: int, low: int, high: int, after: int, until: int, limit: int) -> list[int]:
    """The first distinct run_at of a lane in a window."""
    buckets = tx.facts.virtual_buckets
    if low <= 0 and high >= buckets - 1:
        rows = tx.all("lane_instants", lane, after, lane, until, until, limit)
    else:
        rows = tx.all("lane_instants_within", lane, after, until, buckets, low, high, limit)
    return [run_at for (run_at,) in rows]


def gated(tx: Tx, low: int, high: int, after: int, until: int, limit: int) -> list[Gated]:
    instant, mine = tx.now, (tx.facts.virtual_buckets, low, high)
    rows = tx.all("gated", max(after, instant), until, *mine, limit)
    if after < instant:
        rows = sorted(tx.all("gates_overdue", after, min(until, instant), *mine, limit) + rows, key=itemgetter(3, 0))
    return [Gated(*row) for row in rows[:limit]]


def gate_waiters(tx: Tx, gate: str, limit: int) -> list[Gated]:
    return [Gated(*row) for row in tx.all("gate_waiters", gate, limit)]


def holders(tx: Tx, gate: str) -> list[int]:
    return [run_id for (run_id,) in tx.all("holders", gate)]


# -------------------------------------------------------------------- schedules


def schedule(tx: Tx, name: str) -> Planned | None:
    return find_schedule(tx, name)


def schedules(tx: Tx) -> list[Planned]:
    return [planned_of(row) for row in tx.all("schedules")]


def to_plan(tx: Tx, low: int, high: int, until: int, limit: int) -> list[Planned]:
    buckets = tx.facts.virtual_buckets
    ripe = (planned_of(row) for row in tx.run("schedules_to_plan", until))
    mine = (planned for planned in ripe if low <= virtual_bucket(planned.schedule.name, buckets) <= high)
    return list(islice(mine, limit))


def timetable(tx: Tx, name: str, start: int, end: int) -> list[TimetableRow]:
    rows = tx.all("timetable", tx.names.seen(name), end, start)
    return [_timetable_row(name, row) for row in rows]


def _timetable_row(name: str, row: Row) -> TimetableRow:
    version, moment, until, count, fate, run_id, due_at, state = row
    return TimetableRow(name, version, moment, until, count, Fate(fate), run_id, due_at, state)


# -------------------------------------------------------------------- who is there, and how much


def present(tx: Tx) -> list[Session]:
    return [session_of(row) for row in tx.all("sessions_present")]


def listed_sessions(tx: Tx, limit: int) -> list[Session]:
    return [session_of(row) for row in reversed(tx.all("sessions_newest", limit))]


def left_over(tx: Tx) -> list[Session]:
    return [session_of(row) for row in tx.all("sessions_left_over")]


def held(tx: Tx, session: str) -> int:
    row = tx.one("session_number", session)
    (count,) = tx.one("leases_held", row[0]) or (0,) if row else (0,)
    return int(count)


def buckets(tx: Tx) -> list[Bucket]:
    return [bucket_of(row) for row in tx.all("buckets")]


def controls(tx: Tx, prefix: str) -> list[Control]:
    found = [Control(key=key, value=value, version=version) for key, value, version in tx.all("controls", prefix)]
    return [row for row in found if row.key.startswith(prefix)]


def counts(tx: Tx) -> Counts:
    instant = tx.now
    by_queue: Counter[int] = Counter()
    eligible = ahead = 0
    for (lane,) in tx.all("lanes_all"):
        now_due, later = tx.one("counts_lane", lane, instant, lane, instant) or (0, 0)
        eligible += now_due
        ahead += later
        by_queue[lane >> QUEUE_BITS] += now_due + later
    waiting = tx.all("counts_gated")
    running = list(leased(tx))
    for queue, count in [*waiting, *tx.all("counts_queue", listed(running))]:
        by_queue[queue] += count
    (failed,) = tx.one("counts_failed", instant) or (0,)
    (letters,) = tx.one("counts_dead") or (0,)
    ends = {State(state).name: count for state, count in tx.all("counts_ended") if count}
    return Counts(
        waiting=sum(count for _, count in waiting),
        scheduled=ahead - failed,
        eligible=eligible,
        running=len(running),
        failed=failed,
        ended=ends | ({State.DEAD.name: letters} if letters else {}),
        dead=letters,
        by_queue=by_queue_name((tx.names.text(queue), count) for queue, count in by_queue.items()),
    )

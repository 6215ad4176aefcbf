"""The read side: runs wherever they are, lists, what is ahead, counts. All of it is read from the primary."""

from __future__ import annotations

import asyncio
import heapq
import struct
from collections.abc import Sequence
from typing import Any, Final

from shike.lanes import lane_of_worker
from shike.model import IN_LANE, TERMINAL, Attempt, Ended, Live, Run, State
from shike.store.base import Counts, Gated, RunFilter, by_queue_name
from shike.store.redis.base import Base
from shike.store.redis.bodies import read_body
from shike.store.redis.records import (
    body_of,
    eight,
    is_pending,
    number_of,
    read_attempt,
    read_attempts,
    read_ended,
    read_live,
)
from shike.store.redis.sessions import now

PAGE: Final = 1_000  # fields of a hash read at a time
LOOKED_AT: Final = 200  # runs looked up at a time for a list
SHELVES: Final = (b":run", b":over", b":dead")
_SLICED = struct.Struct(">Qd")


async def find(base: Base, run_id: int) -> Live | Ended | None:
    return (await look(base, [run_id]))[0]


async def look(base: Base, run_ids: Sequence[int]) -> list[Live | Ended | None]:
    """Several runs, over or not, in the order asked for."""

    def put(tape: list[Any], place: int) -> None:
        tape.append(eight(run_ids[place]))

    rows: list[Live | Ended | None] = [None] * len(run_ids)
    for order, found in await base.by_bucket(run_ids, "look", (), put):
        for place, row in zip(order, found, strict=True):
            rows[place] = _read(run_ids[place], row)
    return rows


def _read(run_id: int, row: list[Any]) -> Live | Ended | None:
    if not row:
        return None
    if len(row) == 2:
        return read_ended(run_id, *row)
    return read_live(run_id, row)


async def written(base: Base, run_id: int) -> list[Attempt]:
    """Attempts and decisions."""
    tag = base.tag(base.bucket_of(run_id))
    rows, found = await asyncio.gather(
        base.server.command(tag, b"HGET", tag + b":att", eight(run_id)), find(base, run_id)
    )
    told = read_attempts(rows) if rows else []
    if isinstance(found, Ended) and found.trace:
        told.append(read_attempt(found.trace))
    return told


# ---------------------------------------------------------------- lists


async def runs(base: Base, wanted: RunFilter) -> list[Live | Ended]:
    """Looks at every id there is: a page for operators, not for a hot path. The server is asked in small pieces."""
    moment = await now(base)
    candidates = await _candidates(base, wanted, _shelves(wanted.states))
    found: list[Live | Ended] = []
    for first in range(0, len(candidates), LOOKED_AT):
        for row in await look(base, candidates[first : first + LOOKED_AT]):
            if row is not None and _state_fits(row, wanted.states, moment):
                found.append(row)
                if len(found) == wanted.limit:
                    return found
    return found


def _shelves(states: tuple[State, ...]) -> list[bytes]:
    if not states:
        return list(SHELVES)
    is_live = any(state not in TERMINAL for state in states)
    is_over = any(state in TERMINAL and state is not State.DEAD for state in states)
    return [shelf for shelf, asked in zip(SHELVES, (is_live, is_over, State.DEAD in states), strict=True) if asked]


async def _candidates(base: Base, wanted: RunFilter, shelves: Sequence[bytes]) -> list[int]:
    """The newest ids of runs that fit, whatever their state; all of them where the state decides, too."""
    most = wanted.limit if not wanted.states or set(wanted.states) <= {State.DEAD} else None
    parts = [_scan(base, bucket, shelf, wanted, most) for bucket in base.every for shelf in shelves]
    ids = {run_id for part in await _gathered(parts) for run_id in part}
    return heapq.nlargest(most, ids) if most is not None else sorted(ids, reverse=True)


async def _gathered(parts: Sequence[Any]) -> list[Any]:
    return list(await asyncio.gather(*parts))


async def _scan(base: Base, bucket: int, shelf: bytes, wanted: RunFilter, most: int | None) -> list[int]:
    tag, cursor = base.tag(bucket), b"0"
    found: list[int] = []
    while True:
        cursor, words = await base.server.command(tag, b"HSCAN", tag + shelf, cursor, b"COUNT", PAGE)
        for field, value in zip(words[::2], words[1::2], strict=True):
            run_id = number_of(field)
            if (not wanted.before or run_id < wanted.before) and _fits(value, wanted, over=shelf != SHELVES[0]):
                found.append(run_id)
        if most is not None and len(found) > 2 * most + PAGE:
            found = heapq.nlargest(most, found)
        if cursor == b"0":
            return found


def _fits(value: bytes, wanted: RunFilter, *, over: bool) -> bool:
    if not (wanted.task or wanted.queue or wanted.schedule or wanted.key):
        return True
    run: Run = body_of(value) if over else read_body(0, value)
    return (
        wanted.task in ("", run.task)
        and wanted.queue in ("", run.queue)
        and wanted.schedule in ("", run.schedule)
        and wanted.key in ("", run.key)
    )


def _state_fits(row: Live | Ended, states: tuple[State, ...], moment: int) -> bool:
    if not states or row.state in states:
        return True
    return State.PENDING in states and isinstance(row, Live) and is_pending(row, moment)


async def dead(base: Base, limit: int, before: int, task: str) -> list[Ended]:
    parts = await _gathered([_dead_of(base, bucket, limit, before, task) for bucket in base.every])
    return heapq.nlargest(limit, (row for part in parts for row in part), key=lambda row: row.run.id)


async def _dead_of(base: Base, bucket: int, limit: int, before: int, task: str) -> list[Ended]:
    """The newest dead letters of one bucket."""
    tag = base.tag(bucket)
    found: list[Ended] = []
    below = b"(" + eight(before) if before else b"+"
    while len(found) < limit:
        ids = await base.server.command(
            tag, b"ZREVRANGEBYLEX", tag + b":dead_ids", below, b"-", b"LIMIT", 0, max(limit, LOOKED_AT)
        )
        rows = await look(base, [number_of(run_id) for run_id in ids]) if ids else []
        found += [row for row in rows if isinstance(row, Ended) and task in ("", row.run.task)]
        if len(ids) < max(limit, LOOKED_AT):
            break
        below = b"(" + ids[-1]
    return found[:limit]


async def unsuccessful(base: Base, since: int, behind: int, limit: int) -> list[Ended]:
    parts = await _gathered(
        [
            _ended_of(base, bucket, shelf, since, behind, limit)
            for bucket in base.every
            for shelf in (b":other_at", b":dead_at")
        ]
    )
    first = heapq.nsmallest(limit, (one for part in parts for one in part))
    rows = await look(base, [run_id for _, run_id in first]) if first else []
    return [row for row in rows if isinstance(row, Ended)]


async def _ended_of(
    base: Base, bucket: int, shelf: bytes, since: int, behind: int, limit: int
) -> list[tuple[int, int]]:
    """(ended_at, id) of the next ends of one bucket. Those of one instant stand in the order of their ids."""
    tag, offset = base.tag(bucket), 0
    found: list[tuple[int, int]] = []
    most = max(limit, LOOKED_AT)
    while True:
        words = b"ZRANGE", tag + shelf, since, b"+inf", b"BYSCORE", b"LIMIT", offset, most, b"WITHSCORES"
        pairs = await base.server.command(tag, *words)
        ends = [(int(float(at)), number_of(run_id)) for run_id, at in zip(pairs[::2], pairs[1::2], strict=True)]
        found += [end for end in ends if end > (since, behind)]
        offset += len(ends)
        if len(found) >= limit or len(ends) < most:
            return found[:limit]


# ---------------------------------------------------------------- what is ahead


async def due(base: Base, buckets: Sequence[int], after: int, until: int, limit: int) -> list[tuple[int, str]]:
    if not buckets:
        return []
    overdue: dict[str, int] = {}
    ahead: set[tuple[int, str]] = set()
    sliced = 0
    for late, rows, first in await base.everywhere(buckets, "due", ("due", after, until, limit)):
        for run_at, queue in late:
            name = queue.decode()
            overdue[name] = min(run_at, overdue.get(name, run_at))
        ahead.update((run_at, queue.decode()) for run_at, queue in rows)
        sliced = min(sliced or first, first or sliced)
    found = ahead.union((run_at, queue) for queue, run_at in overdue.items())
    if sliced and (len(found) < limit or sliced < max(found)[0]):
        found |= await _sliced(base, buckets, after, until, limit)
    return heapq.nsmallest(limit, found)


async def _sliced(base: Base, buckets: Sequence[int], after: int, until: int, limit: int) -> set[tuple[int, str]]:
    """What stands in slices in a window that reaches beyond the lanes: few ask so far ahead."""
    parts = await _gathered([_sliced_of(base, bucket, after, until, limit) for bucket in buckets])
    return {one for part in parts for one in part}


async def _sliced_of(base: Base, bucket: int, after: int, until: int, limit: int) -> set[tuple[int, str]]:
    """Those of the first slices that hold so many in the window."""
    tag = base.tag(bucket)
    numbers = await base.server.command(tag, b"ZRANGE", tag + b":slices", b"-inf", until, b"BYSCORE")
    found: set[tuple[int, str]] = set()
    for number in numbers:
        raw = await base.server.command(tag, b"GET", tag + b":slice:" + number)
        entries = [(run_id, int(at)) for run_id, at in _SLICED.iter_unpack(raw or b"") if after < at <= until]
        rows = await look(base, [run_id for run_id, _ in entries]) if entries else []
        found.update(
            (at, lane_of_worker(row.run.queue, row.worker) if row.worker else row.run.queue)
            for (_, at), row in zip(entries, rows, strict=True)
            if isinstance(row, Live) and row.run_at == at and row.state in (*IN_LANE, State.ASSIGNED)
        )
        if len(found) >= limit:
            break
    return found


async def gated(base: Base, buckets: Sequence[int], after: int, until: int, limit: int) -> list[Gated]:
    if not buckets:
        return []
    overdue: dict[str, Gated] = {}
    ahead: list[Gated] = []
    for late, rows, _ in await base.everywhere(buckets, "due", ("gated", after, until, limit)):
        for waiting in map(_gated, late):
            overdue[waiting.gate] = min(waiting, overdue.get(waiting.gate, waiting), key=_by_time)
        ahead += map(_gated, rows)
    return heapq.nsmallest(limit, [*overdue.values(), *ahead], key=_by_time)


def _gated(row: list[Any]) -> Gated:
    run_at, run_id, version, gate = row
    return Gated(number_of(run_id), version, gate.decode(), run_at)


async def holders(base: Base, gate: str) -> list[int]:
    parts = await base.everywhere(base.every, "gate", (gate, 0))
    return [number_of(run_id) for part in parts for run_id in part[0]]


async def gate_waiters(base: Base, gate: str, limit: int) -> list[Gated]:
    parts = await base.everywhere(base.every, "gate", (gate, limit))
    found = [Gated(number_of(run_id), version, gate, run_at) for part in parts for run_at, run_id, version in part[1]]
    return heapq.nsmallest(limit, found, key=_by_time)


def _by_time(gated: Gated) -> tuple[int, int]:
    return gated.run_at, gated.run_id


# ---------------------------------------------------------------- counts


async def counts(base: Base) -> Counts:
    totals = [0, 0, 0, 0]
    queues: dict[str, int] = {}
    states: dict[str, int] = {}
    for part in await base.everywhere(base.every, "counts", ()):
        totals = [one + other for one, other in zip(totals, part[0], strict=True)]
        for queue, count in part[1]:
            queues[queue.decode()] = queues.get(queue.decode(), 0) + count
        for state, count in part[2]:
            name = State(int(state)).name
            states[name] = states.get(name, 0) + count
    waiting, eligible, ahead, running = totals
    failed = await _failed(base)
    return Counts(
        waiting=waiting,
        eligible=eligible,
        scheduled=ahead - failed,
        running=running,
        failed=failed,
        ended={name: count for name, count in states.items() if count},
        dead=states.get(State.DEAD.name, 0),
        by_queue=by_queue_name((queue, count) for queue, count in queues.items() if count),
    )


async def _failed(base: Base) -> int:
    """Failed runs that rest: among those about which something changed."""
    return sum(await _gathered([_failed_of(base, bucket) for bucket in base.every]))


async def _failed_of(base: Base, bucket: int) -> int:
    cursor, total = b"0", 0
    while True:
        cursor, count = await base.at(bucket, "failed", cursor)
        total += int(count)
        if cursor == b"0":
            return total

"""Control rows, and what retention lets go of.

History goes by whole days: a partition is dropped once all of it is older than it has to be kept. Only a retention of
less than a day is worth single deletions. The partitions of the days to come are made here, ahead of their time.
"""

from __future__ import annotations

from collections.abc import Sequence

from shike.clock import MICROS
from shike.errors import Conflict
from shike.store.base import QUEUE_SWITCH, TIMETABLE_FROM, Control
from shike.store.hints import Hint, HintKind
from shike.store.pauses import PAUSE
from shike.store.portable import MARKER_KEY, RETENTION_RESTS, decoded
from shike.store.relational.link import Again, Taken
from shike.store.relational.tx import DAY_MICROS, Tx
from shike.store.verbs import Retention

LEAVING = "history/leaving"  # control row: of the day that is being dropped, which, and up to which id it is done
DAYS_AHEAD = 2  # partitions that are ready before their day begins


async def put(tx: Tx, key: str, value: bytes | None, expect: int | None) -> Control | None:
    """`Store.put`."""
    row = await tx.row("control_lock", key)
    old = None if row is None else Control(key=row[0], value=row[1], version=row[2])
    version = 0 if old is None else old.version
    if expect is not None and expect != version:
        if _is_repeat(old, value, expect):
            return old
        raise Conflict(f"control row {key} is at version {version}, not {expect}")
    if key.startswith(QUEUE_SWITCH):
        tx.hint(Hint(HintKind.QUEUE, key.removeprefix(QUEUE_SWITCH)))
    if key.startswith(PAUSE):
        tx.hint(Hint(HintKind.QUEUE))  # any queue may have runs of it
    if value is None:
        await tx.run("control_delete", key)
        return None
    if old is not None:
        await tx.run("control_change", key, value, version + 1)
    else:
        try:
            await tx.run("control_make", key, value)
        except Taken:
            raise Again(f"control row {key} was made by somebody else at this moment") from None
    return Control(key=key, value=value, version=version + 1)


def _is_repeat(old: Control | None, value: bytes | None, expect: int) -> bool:
    """Whether these very words were heard before, and nothing since."""
    if old is None:
        return value is None
    return old.value == value and old.version == expect + 1


async def make_days(tx: Tx) -> None:
    """Have the history's partitions ready for today and a few days more. Changes nothing where they are."""
    today = await tx.now() // DAY_MICROS
    ready = {day for (day,) in await tx.rows("days")}
    for day in range(today, today + DAYS_AHEAD + 1):
        if day not in ready:
            await tx.rows("days_lock")
            await tx.day("history_make", day)
            await tx.run("day_note", day)


async def purge(tx: Tx, keep: Retention) -> int:
    """`Store.purge`, but for the history."""
    await make_days(tx)
    if await _is_moving(tx):
        return 0
    now = await tx.now()
    left = keep.rows_max
    left -= await tx.run("purge_receipts", now - _micros(keep.receipt_seconds), left)
    left -= await tx.run("purge_keys", now, left)
    left -= await tx.run("purge_sessions", now - _micros(keep.session_seconds), left)
    left -= await tx.run("purge_clients", now - _micros(keep.session_seconds), left)
    await tx.run("purge_gates", keep.rows_max)
    await tx.run("purge_lane_names", keep.rows_max)
    if left > 0:
        old = await tx.rows("dead_old", now - _micros(keep.dead_seconds), left)
        left -= await drop_dead(tx, [run_id for (run_id,) in old])
    if left > 0:
        left -= await _purge_timetable(tx, now - _micros(keep.dead_seconds), left)
    return keep.rows_max - left


async def _is_moving(tx: Tx) -> bool:
    """Whether history is being read by a move."""
    rows = await tx.rows("controls")
    return any(key == MARKER_KEY and decoded(bytes(value)).phase in RETENTION_RESTS for key, value, _ in rows)


async def purge_history(tx: Tx, keep: Retention, limit: int) -> int:
    """The part of `Store.purge` that may have to wait: a step of its own, so that it keeps no row of the others."""
    if limit <= 0 or await _is_moving(tx):
        return 0
    before = await tx.now() - _micros(keep.success_seconds)
    return await _purge_history(tx, before, limit, by_row=_is_short(keep))


def _micros(seconds: float) -> int:
    return round(seconds * MICROS)


def _is_short(keep: Retention) -> bool:
    return _micros(keep.success_seconds) < DAY_MICROS


async def _purge_history(tx: Tx, before: int, limit: int, *, by_row: bool) -> int:
    """A part of the oldest day if all of it is old enough, and with the last part the day itself; else, where that is
    worth it, single rows."""
    days = [day for (day,) in await tx.rows("days")]
    if not days:
        return 0
    oldest = days[0]
    if (oldest + 1) * DAY_MICROS <= before:
        return await _take_leave(tx, oldest, limit)
    if by_row:
        return await _drop_rows(tx, before, limit)
    return 0


async def _take_leave(tx: Tx, day: int, limit: int) -> int:
    """Note what has to outlive the next runs of this day, by their ids; how many these were. After the last of them the
    day is dropped. A day may hold many millions: a control row says how far this came, for whoever goes on."""
    start, end = day * DAY_MICROS, (day + 1) * DAY_MICROS
    known = await tx.row("control_lock", LEAVING)
    said_day, said_id = map(int, known[1].split()) if known is not None else (day, 0)
    after = said_id if said_day == day else 0
    count, last = (await tx.rows("history_part", start, end, after, limit))[0]
    if count:
        await tx.run("history_keep_states", start, end, after, last)
        await tx.run("history_attempts", start, end, after, last)
    if count == limit:
        await put(tx, LEAVING, b"%d %d" % (day, last), None)
        return int(count)
    if known is not None:
        await put(tx, LEAVING, None, None)
    await tx.day("history_drop", day)
    await tx.run("day_forget", day)  # last: where layout is no part of a transaction, a repeat comes here again
    return int(count)


async def _drop_rows(tx: Tx, before: int, limit: int) -> int:
    ids = [run_id for (run_id,) in await tx.rows("history_old", before, limit)]
    if ids:
        await tx.run("history_keep_states_of", ids)
        await tx.run("digest_dropped", ids, DAY_MICROS)
        await tx.run("history_delete", ids)
        await tx.run("attempts_forget", ids)
    return len(ids)


async def _purge_timetable(tx: Tx, before: int, limit: int) -> int:
    """Rows, and the versions of schedules that no row that is left tells of."""
    rows = await tx.run("purge_timetable", before, limit)
    if rows:
        await _whole_from(tx, before)
    return rows + await tx.run("purge_versions", before, limit - rows)


async def _whole_from(tx: Tx, instant: int) -> None:
    old = await tx.row("control_lock", TIMETABLE_FROM)
    if old is None or int(old[1]) < instant:
        await put(tx, TIMETABLE_FROM, b"%d" % instant, None)


async def drop_dead(tx: Tx, run_ids: Sequence[int]) -> int:
    """`Store.drop_dead`."""
    if not run_ids:
        return 0
    ids = sorted(set(run_ids))
    await tx.run("dead_keep_states", ids)
    count = await tx.run("dead_delete", ids)
    await tx.run("attempts_forget", ids)
    return count

"""Control rows, and what retention lets go of.

History goes by whole days: a table is dropped once all of it is older than it has to be kept. Only a retention of less
than a day is worth single deletions.
"""

from __future__ import annotations

from collections.abc import Sequence

from shike.clock import MICROS
from shike.errors import Conflict
from shike.store.base import QUEUE_SWITCH, TIMETABLE_FROM, Control
from shike.store.hints import Hint, HintKind
from shike.store.pauses import PAUSE
from shike.store.portable import RETENTION_RESTS
from shike.store.sqlite import ended, portable
from shike.store.sqlite.records import listed
from shike.store.sqlite.tx import DAY_MICROS, Tx
from shike.store.verbs import Retention


def put(tx: Tx, key: str, value: bytes | None, expect: int | None) -> Control | None:
    """`Store.put`."""
    row = tx.one("control_find", key)
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
        tx.run("control_delete", key)
        return None
    tx.run("control_write", key, value, version + 1)
    return Control(key=key, value=value, version=version + 1)


def _is_repeat(old: Control | None, value: bytes | None, expect: int) -> bool:
    """Whether these very words were heard before, and nothing since."""
    if old is None:
        return value is None
    return old.value == value and old.version == expect + 1


def purge(tx: Tx, keep: Retention) -> int:
    """`Store.purge`."""
    moving = portable.marker(tx)
    if moving is not None and moving.phase in RETENTION_RESTS:
        return 0
    now = tx.now
    left = keep.rows_max
    left -= tx.run("purge_receipts", now - _micros(keep.receipt_seconds), left).rowcount
    left -= tx.run("purge_keys", now, left).rowcount
    left -= tx.run("purge_sessions", now - _micros(keep.session_seconds), left).rowcount
    tx.run("purge_lane_names", keep.rows_max)
    left -= tx.run("purge_clients", now - _micros(keep.session_seconds), left).rowcount
    if left > 0:
        left -= _purge_history(tx, now - _micros(keep.success_seconds), left, by_row=_is_short(keep))
    if left > 0:
        left -= drop_dead(tx, [run_id for (run_id,) in tx.all("dead_old", now - _micros(keep.dead_seconds), left)])
    if left > 0:
        left -= _purge_timetable(tx, now - _micros(keep.dead_seconds), left)
    return keep.rows_max - left


def _micros(seconds: float) -> int:
    return round(seconds * MICROS)


def _is_short(keep: Retention) -> bool:
    return _micros(keep.success_seconds) < DAY_MICROS


def _purge_history(tx: Tx, before: int, limit: int, *, by_row: bool) -> int:
    """Drop the oldest day if all of it is old enough; else, where that is worth it, single rows."""
    days = ended.days(tx)
    if not days:
        return 0
    oldest = days[-1]
    if (oldest + 1) * DAY_MICROS <= before:
        return _drop_day(tx, oldest)
    if by_row:
        return _drop_rows(tx, oldest, before, limit)
    return 0


def _drop_day(tx: Tx, day: int) -> int:
    (count,) = tx.dated("history_count", day).fetchone()
    tx.dated("history_keep_state", day)
    tx.dated("history_attempts", day)
    tx.dated("history_drop", day)
    tx.run("history_forget", day)
    tx.days.discard(day)
    return int(count)


def _drop_rows(tx: Tx, day: int, before: int, limit: int) -> int:
    ids = [run_id for (run_id,) in tx.dated("history_old", day, before, limit)]
    if ids:
        wanted = listed(ids)
        tx.dated("history_keep_states", day, wanted)
        for task, state, count in tx.dated("history_tally", day, wanted).fetchall():
            tx.run("digest_dropped", count, day, task, state)
        tx.dated("history_delete", day, wanted)
        tx.run("attempts_forget", wanted)
    return len(ids)


def _purge_timetable(tx: Tx, before: int, limit: int) -> int:
    """Rows, and the versions of schedules that no row that is left tells of."""
    rows = tx.run("purge_timetable", before, limit).rowcount
    if rows:
        _whole_from(tx, before)
    return rows + tx.run("purge_versions", before, limit - rows).rowcount


def _whole_from(tx: Tx, instant: int) -> None:
    old = tx.one("control_find", TIMETABLE_FROM)
    if old is None or int(old[1]) < instant:
        put(tx, TIMETABLE_FROM, b"%d" % instant, None)


def drop_dead(tx: Tx, run_ids: Sequence[int]) -> int:
    """`Store.drop_dead`."""
    if not run_ids:
        return 0
    wanted = listed(run_ids)
    tx.run("dead_keep_states", wanted)
    count = tx.run("dead_delete", wanted).rowcount
    tx.run("attempts_forget", wanted)
    return count

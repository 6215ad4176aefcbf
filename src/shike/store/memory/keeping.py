"""Control rows, and what retention lets go of."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop

from shike.clock import WALL_MAX
from shike.errors import Conflict
from shike.store.base import QUEUE_SWITCH, TIMETABLE_FROM, Control
from shike.store.memory.tables import SessionRow, Tables, micros
from shike.store.pauses import PAUSE, paused_of
from shike.store.portable import MARKER_KEY, RETENTION_RESTS, decoded
from shike.store.verbs import Retention


def put(tables: Tables, key: str, value: bytes | None, expect: int | None) -> Control | None:
    old = tables.controls.get(key)
    version = 0 if old is None else old.version
    if expect is not None and expect != version:
        if _is_repeat(old, value, expect):
            return old
        raise Conflict(f"control row {key} is at version {version}, not {expect}")
    if key.startswith(QUEUE_SWITCH):
        tables.news.queue(key.removeprefix(QUEUE_SWITCH))
    row = None
    if value is None:
        tables.controls.pop(key, None)
    else:
        row = tables.controls[key] = Control(key=key, value=value, version=version + 1)
    if key.startswith(PAUSE):
        note_pauses(tables)
        tables.news.queue("")  # any queue may have runs of it
    return row


def note_pauses(tables: Tables) -> None:
    """What the control rows pause, for claims to look at."""
    tables.paused = paused_of(key for key in tables.controls if key.startswith(PAUSE))


def _is_repeat(old: Control | None, value: bytes | None, expect: int) -> bool:
    """Whether these very words were heard before, and nothing since."""
    if old is None:
        return value is None
    return old.value == value and old.version == expect + 1


def purge(tables: Tables, keep: Retention) -> int:
    if MARKER_KEY in tables.controls and decoded(tables.controls[MARKER_KEY].value).phase in RETENTION_RESTS:
        return 0
    now = tables.now()
    left = keep.rows_max
    left -= _purge_receipts(tables, now - micros(keep.receipt_seconds), left)
    left -= _purge_keys(tables, now, left)
    left -= _purge_sessions(tables, now - micros(keep.session_seconds), left)
    left -= tables.over.forget_before(now - micros(keep.success_seconds), left)
    left -= tables.dead.forget_before(now - micros(keep.dead_seconds), left)
    left -= _purge_timetable(tables, now - micros(keep.dead_seconds), left)
    tables.lanes.tidy()
    tables.suspects.tidy()
    return keep.rows_max - left


def _purge_receipts(tables: Tables, before: int, limit: int) -> int:
    count = 0
    while count < limit and tables.settled and tables.settled[0].settled_at < before:
        tables.drop_receipt()
        count += 1
    return count


def _purge_keys(tables: Tables, now: int, limit: int) -> int:
    count = 0
    while count < limit and tables.key_ends and tables.key_ends[0][0] <= now:
        until, key = heappop(tables.key_ends)
        known = tables.keys.get(key)
        if known is not None and known.until == until:  # else it was taken anew since
            del tables.keys[key]
            count += 1
    return count


def _purge_sessions(tables: Tables, before: int, limit: int) -> int:
    old = [identity for identity, row in tables.sessions.items() if _left_at(row) < before and not row.leases][:limit]
    for identity in old:
        del tables.sessions[identity]
    return len(old)


def _left_at(row: SessionRow) -> int:
    """When it was last heard of. Who only submits does not beat and is never closed."""
    session = row.session
    if not session.expires_at:
        return session.started_at
    return WALL_MAX if row.is_open else session.closed_at


def _purge_timetable(tables: Tables, before: int, limit: int) -> int:
    """Rows, and the versions of schedules that no row that is left tells of."""
    rows = tables.timetable.forget_before(before, limit)
    if rows:
        _whole_from(tables, before)
    return rows + _purge_versions(tables, before, limit - rows)


def _whole_from(tables: Tables, instant: int) -> None:
    old = tables.controls.get(TIMETABLE_FROM)
    if old is None or int(old.value) < instant:
        put(tables, TIMETABLE_FROM, b"%d" % instant, None)


def _purge_versions(tables: Tables, before: int, limit: int) -> int:
    """Those that were replaced so long ago."""
    dropped = 0
    for name, versions in tables.versions.items():
        replaced = max((place for place, one in enumerate(versions) if one.edited_at < before), default=0)
        count = min(replaced, limit - dropped)
        tables.versions[name] = versions[count:]
        dropped += count
    return dropped


def drop_dead(tables: Tables, run_ids: Sequence[int]) -> int:
    return sum(tables.dead.drop(run_id) for run_id in run_ids)

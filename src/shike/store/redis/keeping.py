"""Control rows, and what retention lets go of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from shike.clock import MICROS
from shike.errors import Conflict, StoreFrozen, StoreMoved
from shike.store.base import QUEUE_SWITCH, TIMETABLE_FROM, Control
from shike.store.pauses import PAUSE
from shike.store.portable import MARKER_KEY
from shike.store.redis.base import HOME, Base
from shike.store.redis.records import eight, read_control
from shike.store.redis.sessions import now
from shike.store.verbs import Retention

RECEIPTS, KEYS, RECORDS, DEAD, ROWS, VERSIONS = range(6)  # what `purge.lua` counts
CONTROLS_SCANNED: Final = 10_000  # fields that the server looks through in one step: more than there are
GLOB_SIGNS: Final = re.compile(r"[*?\[\]\\]")
PER_CALL: Final = 2_000  # rows that one script drops


async def put(base: Base, key: str, value: bytes | None, expect: int | None) -> Control | None:
    queue = switched(key)
    words = (key, "0" if value is None else "1", value or b"", "" if expect is None else expect, queue)
    touched = base.every if queue else (HOME,)
    answer = await base.home_first(touched, "put", *words)
    if answer[0] == b"conflict":
        raise Conflict(f"control row {key} is at version {answer[1]}, not {expect}")
    await base.afterwards(touched, "put", *words)
    row = answer[1] if len(answer) > 1 else None
    return None if row is None else read_control(key, row)


def switched(key: str) -> str:
    """What a control row pauses, as `P:paused` has it: the name of a queue or, with a sign that none can have in front,
    what else claims heed; "": nothing."""
    if key.startswith(PAUSE):
        return f":{key.removeprefix(PAUSE)}"
    return key.removeprefix(QUEUE_SWITCH) if key.startswith(QUEUE_SWITCH) else ""


async def controls(base: Base, prefix: str) -> list[Control]:
    rows = {key.decode(): raw for key, raw in await _fields(base, prefix)}
    if MARKER_KEY.startswith(prefix) and (marker := await marker_words(base)):
        rows[MARKER_KEY] = eight(1) + marker
    return [read_control(key, rows[key]) for key in sorted(rows) if key.startswith(prefix)]


async def _fields(base: Base, prefix: str) -> list[tuple[bytes, bytes]]:
    """Only rows with such keys travel. A server that is asked for so many fields looks through all there are in one
    step, as long as there are no more."""
    tag = base.tag(HOME)
    if not prefix:
        fields = await base.server.command(tag, b"HGETALL", tag + b":controls")
        return list(zip(fields[::2], fields[1::2], strict=True))
    found, cursor, match = list[tuple[bytes, bytes]](), b"0", GLOB_SIGNS.sub(r"\\\g<0>", prefix) + "*"
    while True:
        words = b"HSCAN", tag + b":controls", cursor, b"MATCH", match, b"COUNT", CONTROLS_SCANNED
        cursor, fields = await base.server.command(tag, *words)
        found += zip(fields[::2], fields[1::2], strict=True)
        if cursor == b"0":
            return found


async def marker_words(base: Base) -> bytes:
    """Which phase a move is in, as its marker says; b"": there is none. It stands behind the store's life."""
    life = await base.at(HOME, "peek", "GET", ":life")
    _, brace, words = life.partition(b"{")
    return bytes(brace + words)


# ---------------------------------------------------------------- retention


async def purge(base: Base, keep: Retention) -> int:
    """While a move is under way nothing is dropped: what is there is being read."""
    try:
        return await _purge(base, keep)
    except (StoreFrozen, StoreMoved):
        return 0


async def _purge(base: Base, keep: Retention) -> int:
    moment = await now(base)
    history_seconds = min(keep.success_seconds, base.options.history_hours * 3600)
    dead_before = moment - _micros(keep.dead_seconds)
    instants = (moment - _micros(keep.receipt_seconds), moment - _micros(history_seconds), dead_before)
    left = keep.rows_max
    dropped_rows = False
    for bucket in base.every:
        while left > 0:
            counts = await base.at(bucket, "purge", min(left, PER_CALL), *instants)
            left -= sum(counts)
            dropped_rows = dropped_rows or counts[ROWS] > 0
            if sum(counts) < PER_CALL:
                break
    if dropped_rows:
        await _whole_from(base, dead_before)
    left -= await _purge_sessions(base, moment - _micros(keep.session_seconds), left)
    await _pause_again(base)
    return keep.rows_max - left


async def _purge_sessions(base: Base, before: int, most: int) -> int:
    """Those of which no bucket keeps anything."""
    if most <= 0:
        return 0
    old = await base.at(HOME, "purge_sessions", "list", before, min(most, PER_CALL))
    if not old:
        return 0
    parts = await base.everywhere(base.every, "purge_sessions", ("kept", len(old), *old))
    kept = {identity for part in parts for identity in part}
    gone = [identity for identity in old if identity not in kept]
    if gone:
        if base.server.one_step:
            await base.server.script("purge_sessions", base.tags(base.every), ("drop", "1", len(gone), *gone))
        else:
            others = [bucket for bucket in base.every if bucket != HOME]
            await base.everywhere(others, "purge_sessions", ("drop", "0", len(gone), *gone))
            await base.at(HOME, "purge_sessions", "drop", "1", len(gone), *gone)
    return len(gone)


async def _whole_from(base: Base, instant: int) -> None:
    """From when on the timetable is whole, never set back."""
    known = [row for row in await controls(base, TIMETABLE_FROM) if row.key == TIMETABLE_FROM]
    if not known or int(known[0].value) < instant:
        await put(base, TIMETABLE_FROM, b"%d" % instant, None)


async def _pause_again(base: Base) -> None:
    """A writer that died between home and the buckets of a cluster left them apart: tell them again."""
    if base.server.one_step:
        return
    for row in [*await controls(base, QUEUE_SWITCH), *await controls(base, PAUSE)]:
        words = (row.key, "1", row.value, "", switched(row.key))
        await base.afterwards(base.every, "put", *words)


async def drop_dead(base: Base, run_ids: Sequence[int]) -> int:
    def put_id(tape: list[Any], place: int) -> None:
        tape.append(eight(run_ids[place]))

    return sum(count for _, count in await base.by_bucket(run_ids, "drop_dead", (), put_id))


def _micros(seconds: float) -> int:
    return round(seconds * MICROS)

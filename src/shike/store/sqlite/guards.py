"""What a step checks first, and what it leaves behind where it holds: remembered keys and permits."""

from __future__ import annotations

from collections.abc import Sequence

from shike.clock import MICROS
from shike.store.guards import Absent, Guard
from shike.store.hints import Hint, HintKind
from shike.store.sqlite.records import listed
from shike.store.sqlite.tx import Tx


def holds(tx: Tx, guard: Guard, run_id: int) -> bool:
    """Whether the key is not remembered (for another run); whether the permit is held, or has room."""
    if isinstance(guard, Absent):
        return keeper(tx, guard) in (0, run_id)
    count, mine = tx.one("holder_count", run_id, guard.key) or (0, 0)
    return bool(count < guard.cap or mine)


def keeper(tx: Tx, guard: Absent) -> int:
    """The run that a key is remembered for; 0: none."""
    row = tx.one("dedupe_find", guard.key, tx.now)
    return row[0] if row else 0


def take(tx: Tx, guard: Guard, run_id: int) -> int:
    """What a guard that holds leaves behind; how many permits more the run has."""
    if isinstance(guard, Absent):
        tx.run("dedupe_keep", guard.key, run_id, tx.now + round(guard.seconds * MICROS))
        return 0
    return tx.run("holder_keep", guard.key, run_id).rowcount


def release(tx: Tx, ids: Sequence[int]) -> None:
    """These runs are over: their permits are free again."""
    freed = {key: None for (key,) in tx.all("holder_release", listed(ids))}
    for key in freed:
        tx.hint(Hint(HintKind.FREED, name=key))

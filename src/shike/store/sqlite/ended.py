"""Finding a run that is over: in the dead letters or in one of the few daily history tables, youngest first."""

from __future__ import annotations

from collections.abc import Sequence

from shike.model import Ended, Run
from shike.store.rows import ended_of, unpack_run
from shike.store.sqlite.records import listed
from shike.store.sqlite.tx import Tx


def days(tx: Tx) -> list[int]:
    """Days that have a history table, youngest first."""
    return [day for (day,) in tx.all("days")]


def find(tx: Tx, run_id: int) -> Ended | None:
    """The ended run of this id, or None."""
    row = tx.one("dead_find", run_id)
    for day in [] if row else days(tx):
        row = tx.dated("history_find", day, run_id).fetchone()
        if row:
            break
    return ended_of(row) if row else None


def found(tx: Tx, ids: Sequence[int]) -> dict[int, Ended]:
    """Those of these runs that are over."""
    wanted = listed(ids)
    rows = list(tx.all("dead_found", wanted))
    for day in days(tx):
        if len(rows) < len(ids):
            rows += tx.dated("history_found", day, wanted).fetchall()
    return {one.run.id: one for one in map(ended_of, rows)}


def any_of(tx: Tx, ids: Sequence[int]) -> bool:
    """Whether one of these runs is over. Ids grow, so mostly a look at the highest that ended is enough."""
    if tx.last_ended is None:
        tx.last_ended = _last(tx)
    if min(ids, default=0) > tx.last_ended:
        return False
    wanted = listed(ids)
    return tx.one("dead_any", wanted) is not None or any(
        tx.dated("history_any", day, wanted).fetchone() for day in days(tx)
    )


def _last(tx: Tx) -> int:
    rows = [tx.one("dead_last"), *(tx.dated("history_last", day).fetchone() for day in days(tx))]
    return max(row[0] or 0 for row in rows if row)


def stored(tx: Tx, ids: Sequence[int]) -> dict[int, Run]:
    """Those of these runs that the store knows: live, ended or dead."""
    wanted = listed(ids)
    rows = tx.all("run_bodies", wanted) + tx.all("dead_bodies", wanted)
    for day in days(tx):
        rows += tx.dated("history_bodies", day, wanted).fetchall()
    runs = [unpack_run(body) for (body,) in rows]
    return {run.id: run for run in runs}

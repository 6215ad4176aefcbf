"""Finding a run that is over: in the dead letters or in one of the few daily history tables, youngest first."""

from __future__ import annotations

from collections.abc import Sequence

from shike.model import Ended, Run
from shike.store.sqlite.records import ended_of, listed, unpack_run
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


def any_of(tx: Tx, ids: Sequence[int]) -> bool:
    """Whether one of these runs is over. Ids grow, so mostly one look at the highest of each table is enough."""
    lowest, wanted = min(ids, default=0), listed(ids)
    last = tx.one("dead_last")
    if last and last[0] is not None and last[0] >= lowest and tx.one("dead_any", wanted):
        return True
    for day in days(tx):
        (highest,) = tx.dated("history_last", day).fetchone()
        if highest is not None and highest >= lowest and tx.dated("history_any", day, wanted).fetchone():
            return True
    return False


def stored(tx: Tx, ids: Sequence[int]) -> dict[int, Run]:
    """Those of these runs that the store knows: live, ended or dead."""
    wanted = listed(ids)
    rows = tx.all("run_bodies", wanted) + tx.all("dead_bodies", wanted)
    for day in days(tx):
        rows += tx.dated("history_bodies", day, wanted).fetchall()
    runs = [unpack_run(body) for (body,) in rows]
    return {run.id: run for run in runs}

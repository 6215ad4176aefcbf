"""Runs come in: one statement where nothing has to be looked at first, a transaction where guards and effects do."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from shike.clock import MICROS
from shike.errors import BadInput, Conflict
from shike.model import Run
from shike.store.checks import check_entries
from shike.store.guards import Entry
from shike.store.hints import Hint, HintKind
from shike.store.relational.arrivals import Arrivals, Needs
from shike.store.relational.link import Again, Row, Taken
from shike.store.relational.names import Names
from shike.store.relational.records import pack_open
from shike.store.relational.tx import Tx
from shike.store.rows import lane_of, pack
from shike.store.verbs import Submitted

REFUSED = (Conflict, BadInput, UnicodeError)  # nothing was stored, because of one of the entries


async def submit(tx: Tx, entries: Sequence[Entry], repeat: bool = False) -> list[Submitted]:
    """`Store.submit`."""
    check_entries(entries)
    if not entries:
        return []
    try:
        if repeat or any(entry.guards or entry.effects or entry.run.ties for entry in entries):
            return await _with_care(tx, entries, repeat)
        return await _at_once(tx, entries)
    except Taken as error:
        if repeat:  # the first words came through while these were looking: look again
            raise Again(str(error)) from None
        raise Conflict("one of these runs is in the store already; nothing of this submission was stored") from None


async def learn(tx: Tx, entries: Sequence[Entry]) -> None:
    """Give every name of these entries, and of what their effects may store, its number."""
    needs = Needs()
    needs.entries(entries, known=False)
    await tx.learn(needs.names | needs.schedules)


async def place(tx: Tx) -> Row:
    """Which tables these are: (database, table; 0: there is none), and where they were looked for."""
    return (await tx.look("place"))[0]


async def _at_once(tx: Tx, entries: Sequence[Entry]) -> list[Submitted]:
    """Runs that depend on nothing: the server fills in the instants."""
    runs = [entry.run for entry in entries]
    await tx.learn({run.queue for run in runs} | {run.task for run in runs} | {run.schedule for run in runs})
    rows = [_row(tx.names, entry) for entry in entries]
    ids = [run.id for run in runs]
    now, over = (await tx.look_many("runs_arrive", rows, tx.given, min(ids), max(ids)))[0]
    if over:
        raise Conflict("one of these run ids belongs to a run that is over; nothing was stored")
    told = {
        (run.queue, row[7], now + row[9] if row[9] >= 0 else max(row[8], now))
        for run, row in zip(runs, rows, strict=True)
    }
    for queue, gate, at in sorted(told, key=itemgetter(2)):
        tx.hint(Hint(HintKind.GATED, at=at, name=gate) if gate else Hint(HintKind.DUE, queue, at))
    return [Submitted(row[0], True, now + row[9] if row[9] >= 0 else row[10]) for row in rows]


_Row = tuple[int, int, int, int, int, int, str, str, int, int, int, int, int, bytes]


def _row(names: Names, entry: Entry) -> _Row:
    """A row of `runs_arrive`: `delay` ≥ 0 counts from the server's now, and where `place` is set, the server writes
    `due_at` and `created_at` into the body there."""
    run = entry.run
    run_at = due_at = 0
    delay = -1
    if entry.delay_seconds >= 0:
        delay = round(entry.delay_seconds * MICROS)
    else:
        run_at = entry.run_at or run.due_at
        due_at = run.due_at or run_at
        if not run_at:
            delay = 0
    body, place = _body(run, due_at)
    return (
        run.id, lane_of(names.number(run.queue), run.band), names.number(run.task), names.number(run.schedule),
        run.moment, 0, run.key, run.gate, run_at, delay, due_at, run.created_at, place, body,
    )  # fmt: skip


def _body(run: Run, due_at: int) -> tuple[bytes, int]:
    return (pack(run), 0) if run.created_at and due_at and due_at == run.due_at else pack_open(run)


async def _with_care(tx: Tx, entries: Sequence[Entry], repeat: bool) -> list[Submitted]:
    needs = Needs()
    needs.entries(entries, known=repeat)
    await tx.learn(needs.names | needs.schedules)
    arrivals = Arrivals(tx, await tx.now())
    await arrivals.prepare(needs)
    if not repeat:
        ids = [entry.run.id for entry in entries]
        if await tx.rows("runs_known", ids, min(ids), max(ids)):
            raise Conflict("one of these runs is in the store already; nothing of this submission was stored")
    answers = [
        Submitted(entry.run.id, True, arrivals.due_at(entry.run.id))
        if repeat and arrivals.known(entry.run.id)
        else arrivals.admit(entry)
        for entry in entries
    ]
    await arrivals.write()
    if repeat and await _were_over(tx, arrivals):
        raise Again("the first words came through, and their runs ended, while these were looking")
    return answers


async def _were_over(tx: Tx, arrivals: Arrivals) -> bool:
    """Whether a run that was just written had ended before. Asked once its row is there: from then on no other life of
    it can begin, and one that was is to be seen."""
    fresh = arrivals.fresh()
    return bool(fresh) and bool(await tx.rows("runs_over", fresh))

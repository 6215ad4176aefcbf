"""Operators and nodes change runs that no worker settles: admit, reschedule, cancel, skip, bury."""

from __future__ import annotations

from collections.abc import Sequence

from shike.model import TERMINAL, Live, State
from shike.store.checks import can_move, check_move, needs_freedom
from shike.store.memory import graphs
from shike.store.memory.submit import holds, take
from shike.store.memory.tables import Tables
from shike.store.verbs import Answer, Move


def move(tables: Tables, moves: Sequence[Move]) -> list[Answer]:
    for wanted in moves:
        check_move(wanted)
    now = tables.now()
    answers = [_move_one(tables, wanted, now) for wanted in moves]
    tables.over.trim()
    tables.dead.trim()
    return answers


def _move_one(tables: Tables, wanted: Move, now: int) -> Answer:
    live = tables.runs.get(wanted.run_id)
    if live is None:
        ended = tables.ended(wanted.run_id)
        if ended is None:
            return Answer.UNKNOWN
        return Answer.ALREADY if ended.state is wanted.to else Answer.REFUSED
    if wanted.version not in (0, live.version):
        return Answer.REFUSED
    if live.state is State.RUNNING:
        return _ask(tables, live, wanted)
    if not can_move(live.state, wanted) or (wanted.worker and _is_closed(tables, wanted.worker)):
        return Answer.REFUSED
    if needs_freedom(wanted) and graphs.is_held(tables, live):
        return Answer.GUARDED
    if not all(holds(tables, guard, wanted.run_id, now) for guard in wanted.guards):
        return Answer.GUARDED
    for guard in wanted.guards:
        take(tables, guard, wanted.run_id, now)
    tables.leave(live)
    if wanted.to is State.WAITING:
        _wait_on(tables, live, wanted, now)
    elif wanted.to in TERMINAL:
        tables.end(live, wanted.to, now, wanted.reason)
    else:
        _reschedule(tables, live, wanted, now)
    return Answer.ACCEPTED


def _ask(tables: Tables, live: Live, wanted: Move) -> Answer:
    """A running run is its worker's: it can be asked to stop, nothing else. The first reason stands."""
    if wanted.to is not State.CANCELLED:
        return Answer.REFUSED
    if not live.cancel:
        live.cancel = wanted.reason or "cancelled"
        live.version += 1
        tables.asked.add(live.run.id)
    tables.news.cancelled.append(live.run.id)
    return Answer.ASKED


def _wait_on(tables: Tables, live: Live, wanted: Move, now: int) -> None:
    """Before its gate again: another band, another time; or before another one."""
    live.version += 1
    if wanted.run is not None:
        live.run, live.state = wanted.run, State.WAITING
    live.run_at = live.run_at if wanted.run_at is None else wanted.run_at
    live.band = live.band if wanted.band is None else wanted.band
    tables.gates.wait(live)
    tables.news.gated(live.run.gate, live.run_at, now)


def _reschedule(tables: Tables, live: Live, wanted: Move, now: int) -> None:
    live.state = wanted.to
    live.worker = wanted.worker
    live.version += 1
    if wanted.run is not None:
        live.run = wanted.run
    if wanted.note:
        tables.write_attempt(live.run.id, wanted.note)
    if wanted.run_at is not None:
        live.run_at = wanted.run_at
    if wanted.band is not None:
        live.band = wanted.band
    tables.enter(live, now)


def _is_closed(tables: Tables, session: str) -> bool:
    row = tables.sessions.get(session)
    return row is None or not row.is_open

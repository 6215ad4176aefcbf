"""Operators and nodes change runs that no worker settles: admit, reschedule, cancel, skip, bury."""

from __future__ import annotations

from collections.abc import Sequence

from shike.model import TERMINAL, State
from shike.store.checks import can_move, check_move, needs_freedom
from shike.store.hints import Hint, HintKind
from shike.store.rows import SUSPECT, Facts, band_of, lane_of, pack, target, unpack_run
from shike.store.sqlite import ended, graphs, guards, routed
from shike.store.sqlite.outcomes import Endings, enter, runs_of
from shike.store.sqlite.tx import Tx
from shike.store.verbs import Answer, Move


def move(tx: Tx, moves: Sequence[Move]) -> list[Answer]:
    """`Store.move`."""
    for wanted in moves:
        check_move(wanted)
    return [_move_one(tx, wanted) for wanted in moves]


def _move_one(tx: Tx, wanted: Move) -> Answer:
    run = runs_of(tx, [wanted.run_id]).get(wanted.run_id)
    if run is None:
        over = ended.find(tx, wanted.run_id)
        if over is None:
            return Answer.UNKNOWN
        return Answer.ALREADY if over.state is wanted.to else Answer.REFUSED
    if wanted.version not in (0, run.version):
        return Answer.REFUSED
    if is_running(tx, run):
        return _ask(tx, run, wanted)
    if not can_move(run.state, wanted) or (wanted.worker and routed.is_closed(tx, wanted.worker)):
        return Answer.REFUSED
    if needs_freedom(wanted) and graphs.is_held(tx, run):
        return Answer.GUARDED
    if not all(guards.holds(tx, guard, run.id) for guard in wanted.guards):
        return Answer.GUARDED
    held = sum(guards.take(tx, guard, run.id) for guard in wanted.guards)
    if held:
        tx.run("run_hold", held, run.id)
        run.holding += held
    if wanted.to is State.WAITING:
        _wait_on(tx, run, wanted)
        return Answer.ACCEPTED
    leave(tx, run)
    if wanted.to in TERMINAL:
        endings = Endings(tx, tx.now)
        endings.add(run.id, run.fact, wanted.to.value, reason=wanted.reason)
        endings.write()
    else:
        _reschedule(tx, run, wanted)
    return Answer.ACCEPTED


def is_running(tx: Tx, run: Facts) -> bool:
    """Neither before a gate nor in a lane: a lease holds it."""
    return run.state is not State.WAITING and tx.one("lane_exists", run.stands, run.run_at, run.id) is None


def leave(tx: Tx, run: Facts) -> None:
    """Out of its lane, or away from its gate."""
    if run.state is State.WAITING:
        tx.run("gated_leave", run.id)
    else:
        tx.run("lane_leave", run.stands, run.run_at, run.id)


def _ask(tx: Tx, run: Facts, wanted: Move) -> Answer:
    """A running run is its worker's: it can be asked to stop, nothing else. The first reason stands."""
    if wanted.to is not State.CANCELLED:
        return Answer.REFUSED
    if not run.cancel:
        tx.run("run_ask", wanted.reason or "cancelled", run.id)
    tx.hint(Hint(HintKind.CANCEL, run_ids=(run.id,)))
    return Answer.ASKED


def _wait_on(tx: Tx, run: Facts, wanted: Move) -> None:
    """Before its gate again: another band, another time; or before another one."""
    run_at, lane = target(run, wanted)
    tx.run("run_move", State.WAITING.value, lane, run_at, run.id)
    if wanted.run is None:
        gate = unpack_run(run.body).gate
        tx.run("gated_await", run_at, run.id)
    else:
        gate = wanted.run.gate
        leave(tx, run)
        tx.run("run_rewrite", pack(wanted.run), run.id)
        tx.many("gated_insert", [(run.id, gate, run_at, 0)])
    tx.hint(Hint(HintKind.GATED, at=max(run_at, tx.now), name=gate))


def _reschedule(tx: Tx, run: Facts, wanted: Move) -> None:
    run_at, lane = target(run, wanted)
    if wanted.run is not None:
        tx.run("run_rewrite", pack(wanted.run), run.id)
        lane = lane_of(tx.names.number(wanted.run.queue), band_of(lane), suspect=bool(lane & SUSPECT))
    if wanted.worker:
        routed.assign(tx, run, wanted, lane, run_at)
        return
    tx.run("run_move", State.SCHEDULED.value, lane, run_at, run.id)
    enter(tx, [(lane, run_at, run.id, run.task)], tx.now)

"""What a dead process held goes back, or to the dead letters."""

from __future__ import annotations

from shike.errors import Conflict
from shike.model import RECORD_VERSION, Attempt, Session, SessionState, State
from shike.store.lost import Loss, loss, lost
from shike.store.rows import Facts, pack, unpack_run
from shike.store.sqlite.leases import LeaseRow, open_leases
from shike.store.sqlite.outcomes import Endings, Returns, runs_of
from shike.store.sqlite.sessions import known, take_away
from shike.store.sqlite.tx import Tx
from shike.store.verbs import Freed


def free(tx: Tx, identity: str, limit: int) -> Freed:
    """`Store.free`."""
    session = known(tx, identity)
    if session.state is SessionState.OPEN:
        raise Conflict(f"session {identity} is open: it must be closed before what it holds is taken from it")
    tx.run("bucket_disown", identity)
    requeued: list[int] = []
    dead: list[int] = []
    leases = open_leases(tx, session.number, limit + 1)
    for lease in leases[:limit]:
        for run_id, became in _free_lease(tx, session, lease).items():
            if became is State.DEAD:
                dead.append(run_id)
            elif became is State.SCHEDULED:
                requeued.append(run_id)
    return Freed(requeued=tuple(requeued), dead=tuple(dead), left=len(leases) > limit)


def _free_lease(tx: Tx, session: Session, lease: LeaseRow) -> dict[int, State]:
    """Write the lost attempts down and decide what they mean; what each run became."""
    now = tx.now
    endings, returns = Endings(tx, now), Returns(tx, now)
    runs = runs_of(tx, lease.open_ids)
    became: dict[int, State] = {}
    attempts: list[tuple[int, int, bytes]] = []
    for run_id in lease.open_ids:
        run = runs[run_id]
        attempts.append((run_id, lease.token, _lost_attempt(session, lease, run, now)))
        found = loss(session, lease.manner, len(runs), run.together)
        became[run_id] = rescue(tx, run, found, endings, returns)
    tx.many("attempt_write", attempts)
    take_away(tx, lease, now)
    endings.write()
    returns.write()
    return became


def rescue(tx: Tx, run: Facts, found: Loss, endings: Endings, returns: Returns) -> State:
    """Its lease is lost, or its process is: back into a lane, or not. Says what it became."""
    crashes = run.crashes + found.crashed
    state, reason = lost(unpack_run(run.body).options, run.cancel, crashes, tx.facts.crashes_max)
    if state is State.SCHEDULED:
        returns.add(run, state, min(run.run_at, returns.now), loss=found)
    else:
        endings.add(run.id, run.fact, state.value, reason=reason)
    return state


def _lost_attempt(session: Session, lease: LeaseRow, run: Facts, now: int) -> bytes:
    return pack(
        Attempt(
            RECORD_VERSION, run.attempts + 1, lease.token, session.id, State.FAILED,
            claimed_at=lease.granted_at, ended_at=now, error=f"lost: {session.reason}",
        )
    )  # fmt: skip

"""What a dead process held goes back, or to the dead letters."""

from __future__ import annotations

from shike.errors import Conflict, NotFound
from shike.model import RECORD_VERSION, Attempt, Session, SessionState, State
from shike.store.lost import Loss, loss, lost
from shike.store.relational.leases import LeaseRow, lease_of, write_leases
from shike.store.relational.outcomes import Endings, Returns, lock_runs
from shike.store.relational.sessions import find
from shike.store.relational.tx import Tx
from shike.store.rows import Facts, pack, unpack_run
from shike.store.verbs import Freed


async def free(tx: Tx, identity: str, limit: int) -> Freed:
    """`Store.free`."""
    session = await find(tx, identity)
    if session is None:
        raise NotFound(f"there is no session {identity}")
    if session.state is SessionState.OPEN:
        raise Conflict(f"session {identity} is open: it must be closed before what it holds is taken from it")
    await tx.run("bucket_disown", identity)
    leases = [lease_of(row) for row in await tx.rows("leases_of_session", session.number, limit)]
    became = await _free(tx, session, leases) if leases else {}
    left = (await tx.rows("leases_held", session.number))[0][0]
    return Freed(
        requeued=tuple(run_id for run_id, state in became.items() if state is State.SCHEDULED),
        dead=tuple(run_id for run_id, state in became.items() if state is State.DEAD),
        left=left > 0,
    )


async def _free(tx: Tx, session: Session, leases: list[LeaseRow]) -> dict[int, State]:
    """Write the lost attempts down and decide what they mean; what each run became."""
    now = await tx.now()
    endings, returns = Endings(tx, now), Returns(tx, now)
    runs = await lock_runs(tx, [run_id for lease in leases for run_id in lease.open_ids])
    became: dict[int, State] = {}
    attempts: list[tuple[int, int, bytes]] = []
    for lease in leases:
        party = len(lease.open_ids)
        for run_id in lease.open_ids:
            run = runs[run_id]
            attempts.append((run_id, lease.token, _lost_attempt(session, lease, run, now)))
            found = loss(session, lease.manner, party, run.together)
            became[run_id] = rescue(tx, run, found, endings, returns)
        lease.take_away()
    await write_leases(tx, leases, now)
    await tx.many("attempts_write", attempts)
    await endings.write()
    await returns.write()
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

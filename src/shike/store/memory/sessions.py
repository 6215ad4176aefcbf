"""Processes come, beat, and die once; what they held goes back."""

from __future__ import annotations

from msgspec.structs import replace

from shike.errors import Conflict, NotFound, SessionClosed
from shike.model import RECORD_VERSION, Attempt, Bucket, Live, Session, SessionState, State
from shike.store.dividing import bounds, divided
from shike.store.expiry import expiry, is_over
from shike.store.lost import Loss, loss, lost
from shike.store.memory.tables import LeaseRow, SessionRow, Tables, pack_attempt
from shike.store.verbs import Beat, BeatReply, Division, Freed, NewSession


def open_session(tables: Tables, new: NewSession) -> Session:
    """The same words again give the same session, as long as it lives."""
    known = tables.sessions.get(new.identity)
    if known is not None:
        return _living(tables, new.identity).session
    now = tables.now()
    tables.sessions_opened += 1
    session = Session(
        id=new.identity,
        number=tables.sessions_opened,
        name=new.name,
        kind=new.kind,
        host=new.host,
        pid=new.pid,
        started_at=now,
        expires_at=expiry(now, new.lease_seconds),
        protocol=new.protocol,
        lease_seconds=new.lease_seconds,
    )
    tables.sessions[session.id] = SessionRow(session)
    return session


def beat(tables: Tables, sign: Beat) -> BeatReply:
    row = _living(tables, sign.session)
    now = tables.now()
    if sign.number > row.session.beat:
        _take_in(tables, row, sign, now)
    cancels = []
    for run_id in sorted(tables.asked):
        live = tables.runs[run_id]
        if tables.leases[live.token].session == sign.session:
            cancels.append((run_id, live.token))
    return BeatReply(
        now=now,
        expires_at=row.session.expires_at,
        cancels=tuple(cancels),
        eligible=tuple(sorted(_eligible_queues(tables, now))),
    )


def _take_in(tables: Tables, row: SessionRow, sign: Beat, now: int) -> None:
    """Renew; let go of what the session does not know it holds; note what its handlers report."""
    expires_at = expiry(now, sign.lease_seconds)
    words = {"beat": sign.number, "expires_at": expires_at, "load": sign.load, "lease_seconds": sign.lease_seconds}
    tables.update_session(row, **words)
    named = frozenset(sign.holds)
    for lease in list(row.open.values()):
        if lease.claim <= sign.received and lease.token not in named:
            _release(tables, lease, now)
    for run_id, token, report in sign.progress:
        live = tables.runs.get(run_id)
        holder = tables.leases.get(token)
        if live is not None and holder is not None and live.token == token and holder.session == sign.session:
            live.progress = report


def _eligible_queues(tables: Tables, now: int) -> set[str]:
    queues = set()
    for lanes in (tables.lanes, tables.suspects):
        for queue, lane in lanes.all():
            first = lane.first()
            if first is not None and first.run_at <= now and not tables.is_paused(queue):
                queues.add(queue)
    return queues


def _release(tables: Tables, lease: LeaseRow, now: int) -> None:
    """The reply to this claim never arrived: nothing of it has begun."""
    for live in tables.open_runs(lease):
        lease.taken.add(live.run.id)
        if live.cancel:
            tables.end(live, State.CANCELLED, now, live.cancel)
        else:
            live.state = State.SCHEDULED
            tables.requeue(live, live.run_at, now)
    tables.retire(lease, now)


def close_session(tables: Tables, identity: str, seen_beat: int | None, reason: str, gone: bool, alive: bool) -> bool:
    row = known(tables, identity)
    now = tables.now()
    session = row.session
    if not row.is_open:
        return True
    if seen_beat is not None and not (session.beat == seen_beat and (gone or is_over(session, now))):
        return False
    died, held = seen_beat is not None and not alive, sum(lease.left for lease in row.open.values())
    tables.update_session(row, state=SessionState.CLOSED, reason=reason, closed_at=now, died=died, held=held)
    return True


def free(tables: Tables, identity: str, limit: int) -> Freed:
    row = known(tables, identity)
    if row.is_open:
        raise Conflict(f"session {identity} is open: it must be closed before what it holds is taken from it")
    for low, bucket in tables.buckets.items():
        if bucket.owner == identity:
            tables.buckets[low] = replace(bucket, owner="")
    now = tables.now()
    requeued: list[int] = []
    dead: list[int] = []
    for lease in list(row.open.values())[:limit]:
        party = lease.left
        for live in tables.open_runs(lease):
            lease.taken.add(live.run.id)
            found = loss(row.session, lease.manner, party, live.together)
            tables.write_attempt(live.run.id, _lost_attempt(row, lease, live, now))
            became = rescue(tables, live, found, now)
            if became is State.DEAD:
                dead.append(live.run.id)
            elif became is State.SCHEDULED:
                requeued.append(live.run.id)
        tables.retire(lease, now)
    tables.dead.trim()
    return Freed(requeued=tuple(requeued), dead=tuple(dead), left=bool(row.open))


def rescue(tables: Tables, live: Live, found: Loss, now: int) -> State:
    """Its lease is lost, or its process is: back into a lane, or not. Says what it became."""
    live.crashes += found.crashed
    state, reason = lost(live.run.options, live.cancel, live.crashes, tables.crashes_max)
    if state is State.SCHEDULED:
        live.state = state
        live.suspect, live.together = found.suspect, found.together
        tables.requeue(live, min(live.run_at, now), now)
    else:
        tables.end(live, state, now, reason)
    return state


def _lost_attempt(row: SessionRow, lease: LeaseRow, live: Live, now: int) -> bytes:
    return pack_attempt(
        Attempt(
            RECORD_VERSION,
            live.attempts + 1,
            lease.token,
            lease.session,
            State.FAILED,
            claimed_at=lease.granted_at,
            ended_at=now,
            error=f"lost: {row.session.reason}",
        )
    )


def divide(tables: Tables, division: Division) -> list[Bucket]:
    _living(tables, division.session)
    first, last = bounds(division, tables.virtual_buckets)
    found = [bucket for bucket in tables.buckets.values() if bucket.high >= first and bucket.low <= last]
    new = divided(division, found, lambda identity: _seen(tables, identity))
    for bucket in found:
        del tables.buckets[bucket.low]
    tables.buckets |= {bucket.low: bucket for bucket in new}
    tables.buckets = dict(sorted(tables.buckets.items()))
    return new


def _seen(tables: Tables, identity: str) -> Session | None:
    row = tables.sessions.get(identity)
    return None if row is None else row.session


def known(tables: Tables, identity: str) -> SessionRow:
    row = tables.sessions.get(identity)
    if row is None:
        raise NotFound(f"there is no session {identity}")
    return row


def _living(tables: Tables, identity: str) -> SessionRow:
    row = tables.sessions.get(identity)
    if row is None or not row.is_open:
        reason = "it is unknown to the store" if row is None else row.session.reason
        raise SessionClosed(f"session {identity} is closed: {reason}", session=identity, reason=reason)
    return row

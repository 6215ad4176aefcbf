"""Processes come, beat, and die once; what they held goes back."""

from __future__ import annotations

from msgspec.structs import replace

from shike.errors import Conflict, NotFound, SessionClosed
from shike.model import RECORD_VERSION, Attempt, Bucket, Live, Session, SessionState, State
from shike.store.lost import lost
from shike.store.memory.tables import LeaseRow, SessionRow, Tables, micros, pack_attempt
from shike.store.verbs import Beat, BeatReply, Freed, NewSession


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
        expires_at=_expiry(now, new.lease_seconds),
        protocol=new.protocol,
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
    expires_at = _expiry(now, sign.lease_seconds)
    tables.update_session(row, beat=sign.number, expires_at=expires_at, load=sign.load)
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


def close_session(tables: Tables, identity: str, seen_beat: int | None, reason: str, gone: bool) -> bool:
    row = known(tables, identity)
    now = tables.now()
    session = row.session
    if not row.is_open:
        return True
    is_over = 0 < session.expires_at < now or gone
    if seen_beat is not None and not (session.beat == seen_beat and is_over):
        return False
    tables.update_session(row, state=SessionState.CLOSED, reason=reason, closed_at=now)
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
        for live in tables.open_runs(lease):
            lease.taken.add(live.run.id)
            became = _rescue(tables, row, lease, live, now)
            if became is State.DEAD:
                dead.append(live.run.id)
            elif became is State.SCHEDULED:
                requeued.append(live.run.id)
        tables.retire(lease, now)
    tables.dead.trim()
    return Freed(requeued=tuple(requeued), dead=tuple(dead), left=bool(row.open))


def _rescue(tables: Tables, row: SessionRow, lease: LeaseRow, live: Live, now: int) -> State:
    """Its process died with it: write the attempt down and decide what that means. Says what it became."""
    tables.write_attempt(live.run.id, _lost_attempt(row, lease, live, now))
    live.crashes += lease.solo
    state, reason = lost(live.run.options, live.cancel, live.crashes, tables.crashes_max)
    if state is State.SCHEDULED:
        live.state = state
        live.suspect = True
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


def own(tables: Tables, identity: str, low: int, high: int, epoch: int) -> Bucket:
    _living(tables, identity)
    bucket = tables.buckets.get(low)
    if bucket is None or bucket.high != high:
        raise Conflict(f"there is no bucket {low}-{high} in this store")
    if bucket.owner == identity:
        return bucket
    owner = tables.sessions.get(bucket.owner)
    if epoch != bucket.epoch or (owner is not None and owner.is_open):
        raise Conflict(f"bucket {low}-{high} is owned by {bucket.owner or 'nobody'} in epoch {bucket.epoch}")
    taken = tables.buckets[low] = Bucket(low=low, high=high, owner=identity, epoch=epoch + 1)
    return taken


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


def _expiry(now: int, lease_seconds: float) -> int:
    return now + micros(lease_seconds) if lease_seconds else 0

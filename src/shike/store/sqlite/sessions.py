"""Processes come, beat, and die once."""

from __future__ import annotations

from shike.errors import NotFound, SessionClosed
from shike.model import Bucket, Session, SessionState, State
from shike.store.dividing import bounds, divided
from shike.store.expiry import expiry, is_over
from shike.store.rows import OPEN, TAKEN
from shike.store.sqlite.leases import LeaseRow, open_leases, places
from shike.store.sqlite.outcomes import Endings, Returns, runs_of
from shike.store.sqlite.tx import Row, Tx
from shike.store.verbs import Beat, BeatReply, Division, NewSession


def open_session(tx: Tx, new: NewSession) -> Session:
    """`Store.open_session`. The same words again give the same session, as long as it lives."""
    if find(tx, new.identity) is None:
        now = tx.now
        tx.run(
            "session_insert", new.identity, new.name, new.kind, new.host, new.pid, now,
            expiry(now, new.lease_seconds), new.protocol, new.lease_seconds,
        )  # fmt: skip
    return living(tx, new.identity)


def find(tx: Tx, identity: str) -> Session | None:
    row = tx.one("session_find", identity)
    return None if row is None else session_of(row)


def session_of(row: Row) -> Session:
    """A row of `session_find` or `sessions`."""
    return Session(
        id=row[0], number=row[1], name=row[2], kind=row[3], host=row[4], pid=row[5], started_at=row[6],
        expires_at=row[7], beat=row[8], claimed=row[9],
        state=SessionState.CLOSED if row[10] else SessionState.OPEN,
        reason=row[11], protocol=row[12], load=row[13], closed_at=row[14], lease_seconds=row[15],
        died=bool(row[16]), held=row[17],
    )  # fmt: skip


def known(tx: Tx, identity: str) -> Session:
    session = find(tx, identity)
    if session is None:
        raise NotFound(f"there is no session {identity}")
    return session


def living(tx: Tx, identity: str) -> Session:
    session = find(tx, identity)
    if session is None or session.state is SessionState.CLOSED:
        reason = "it is unknown to the store" if session is None else session.reason
        raise SessionClosed(f"session {identity} is closed: {reason}", session=identity, reason=reason)
    return session


def close_session(tx: Tx, identity: str, seen_beat: int | None, reason: str, gone: bool, alive: bool) -> bool:
    """`Store.close_session`. `gone`: the process is proved to be dead; `alive`: it is proved to live."""
    session = known(tx, identity)
    if session.state is SessionState.CLOSED:
        return True
    now = tx.now
    if seen_beat is not None and not (session.beat == seen_beat and (gone or is_over(session, now))):
        return False
    tx.run("session_close", reason, now, seen_beat is not None and not alive, session.number)
    return True


def beat(tx: Tx, sign: Beat) -> BeatReply:
    """`Store.beat`."""
    session = living(tx, sign.session)
    now, expires_at = tx.now, session.expires_at
    leases: list[LeaseRow] | None = None
    if sign.number > session.beat:
        expires_at = expiry(now, sign.lease_seconds)
        tx.run("session_beat", sign.number, expires_at, sign.load, sign.lease_seconds, session.number)
        leases = _take_in(tx, session, sign, now)
    asked = [run_id for (run_id,) in tx.all("runs_asked")]
    if asked and leases is None:
        leases = open_leases(tx, session.number)
    cancels = [(run_id, token) for run_id in asked if (token := _token(tx, leases or [], run_id))]
    eligible = tuple(name for (name,) in tx.all("lanes_eligible", now))
    return BeatReply(now=now, expires_at=expires_at, cancels=tuple(cancels), eligible=eligible)


def _take_in(tx: Tx, session: Session, sign: Beat, now: int) -> list[LeaseRow]:
    """Let go of what the session does not know it holds, note what its handlers report; what it holds."""
    leases = open_leases(tx, session.number)
    named = frozenset(sign.holds)
    held = [lease for lease in leases if lease.claim > sign.received or lease.token in named]
    for lease in leases:
        if lease not in held:
            _release(tx, lease, now)
    by_token = {lease.token: lease for lease in held}
    for run_id, token, report in sign.progress:
        if token in by_token and _token(tx, [by_token[token]], run_id):
            tx.run("run_progress", report, run_id)
    return held


def _token(tx: Tx, leases: list[LeaseRow], run_id: int) -> int:
    """The lease that holds a run; 0: none of these."""
    for lease in leases:
        place = places(tx, lease).get(run_id, -1)
        if place >= 0 and lease.fates[place] == OPEN:
            return lease.token
    return 0


def _release(tx: Tx, lease: LeaseRow, now: int) -> None:
    """The reply to this claim never arrived: nothing of it has begun."""
    endings, returns = Endings(tx, now), Returns(tx, now)
    runs = runs_of(tx, lease.open_ids)
    for run_id in lease.open_ids:
        run = runs[run_id]
        if run.cancel:
            endings.add(run_id, run.fact, State.CANCELLED.value, reason=run.cancel)
        else:
            returns.add(run, State.SCHEDULED, run.run_at)
    take_away(tx, lease, now)
    endings.write()
    returns.write()


def take_away(tx: Tx, lease: LeaseRow, now: int) -> None:
    """What is still open of a lease is its session's no longer."""
    lease.fates = bytearray(TAKEN if fate == OPEN else fate for fate in lease.fates)
    lease.write(tx, now)


def divide(tx: Tx, division: Division) -> list[Bucket]:
    """`Store.divide`."""
    living(tx, division.session)
    first, last = bounds(division, tx.facts.virtual_buckets)
    found = [bucket_of(row) for row in tx.all("buckets_touching", first, last)]
    new = divided(division, found, lambda identity: find(tx, identity))
    tx.run("buckets_drop", first, last)
    tx.many("buckets_write", [(bucket.low, bucket.high, bucket.owner, bucket.epoch) for bucket in new])
    return new


def bucket_of(row: Row) -> Bucket:
    low, high, owner, epoch = row
    return Bucket(low=low, high=high, owner=owner, epoch=epoch)

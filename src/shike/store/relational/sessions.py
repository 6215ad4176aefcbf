"""Processes come, beat, and die once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from shike.clock import MICROS
from shike.errors import NotFound, SessionClosed
from shike.model import Bucket, Session, SessionState, State
from shike.store.dividing import bounds, divided
from shike.store.expiry import is_over
from shike.store.relational.leases import LeaseRow, lease_of, write_leases
from shike.store.relational.link import Again, Row, Taken
from shike.store.relational.outcomes import Endings, Returns, lock_runs
from shike.store.relational.tx import Tx
from shike.store.verbs import Beat, BeatReply, Division, NewSession


async def open_session(tx: Tx, new: NewSession) -> Session:
    """`Store.open_session`. The same words again give the same session, as long as it lives."""
    lease = round(new.lease_seconds * MICROS)
    try:
        rows = await tx.look(
            "session_open",
            tx.given,
            new.identity,
            new.name,
            new.kind,
            new.host,
            new.pid,
            lease,
            new.protocol,
            new.lease_seconds,
        )
    except Taken:
        rows = []
    return session_of(rows[0]) if rows else _living(await find(tx, new.identity), new.identity)


async def find(tx: Tx, identity: str) -> Session | None:
    row = await tx.row("session_find", identity)
    return None if row is None else session_of(row)


def session_of(row: Row) -> Session:
    """A row of any statement that answers sessions."""
    return Session(
        id=row[0], number=row[1], name=row[2], kind=row[3], host=row[4], pid=row[5], started_at=row[6],
        expires_at=row[7], beat=row[8], claimed=row[9],
        state=SessionState.CLOSED if row[10] else SessionState.OPEN,
        reason=row[11], protocol=row[12], load=row[13], closed_at=row[14], lease_seconds=row[15],
        died=row[16], held=row[17],
    )  # fmt: skip


def _living(session: Session | None, identity: str) -> Session:
    if session is None or session.state is SessionState.CLOSED:
        reason = "it is unknown to the store" if session is None else session.reason
        raise SessionClosed(f"session {identity} is closed: {reason}", session=identity, reason=reason)
    return session


async def lock(tx: Tx, identity: str) -> Session | None:
    """The session, which nobody closes, renews or claims for until this transaction is over."""
    row = await tx.row("session_lock", identity)
    return None if row is None else session_of(row)


async def close_session(tx: Tx, identity: str, seen_beat: int | None, reason: str, gone: bool, alive: bool) -> bool:
    """`Store.close_session`. `gone`: the process is proved to be dead; `alive`: it is proved to live."""
    session = await lock(tx, identity)
    if session is None:
        raise NotFound(f"there is no session {identity}")
    if session.state is SessionState.CLOSED:
        return True
    now = await tx.now()
    if seen_beat is not None and not (session.beat == seen_beat and (gone or is_over(session, now))):
        return False
    await tx.run("session_close", session.number, reason, now, seen_beat is not None and not alive)
    return True


async def beat(tx: Tx, sign: Beat) -> BeatReply:
    """`Store.beat`. One statement renews and looks; only where a lease has to be released, a run was asked to stop or
    a handler reported is there more to do."""
    now, number, closed, reason, is_new, expires_at, forgotten, asked, eligible = await _look(tx, sign, tx.look)
    if number is None or closed:
        reason = "it is unknown to the store" if number is None else reason
        raise SessionClosed(f"session {sign.session} is closed: {reason}", session=sign.session, reason=reason)
    if not is_new:  # an old one; or the session was closed while the statement waited for its row
        _living(await find(tx, sign.session), sign.session)
    cancels: tuple[tuple[int, int], ...] = ()
    if asked or (is_new and (forgotten or sign.progress)):
        cancels = await _take_in(tx, number, sign, now, is_new)
        if forgotten:  # what was released is eligible again
            *_, eligible = await _look(tx, sign, tx.rows)
    return BeatReply(now=now, expires_at=expires_at, cancels=cancels, eligible=_queues(eligible))


async def _look(tx: Tx, sign: Beat, ask: Callable[..., Awaitable[Sequence[Row]]]) -> Row:
    return (
        await ask(
            "session_beat", tx.given, sign.session, sign.number, round(sign.lease_seconds * MICROS), sign.load,
            sign.received, list(sign.holds), sign.lease_seconds,
        )
    )[0]  # fmt: skip


def _queues(eligible: str) -> tuple[str, ...]:
    """Names as the statement lists them, a line each."""
    return tuple(sorted(eligible.split("\n"))) if eligible else ()


async def _take_in(tx: Tx, number: int, sign: Beat, now: int, is_new: bool) -> tuple[tuple[int, int], ...]:
    """Let go of what the session does not know it holds, note what its handlers report; what it should stop."""
    leases = [lease_of(row) for row in await tx.rows("leases_of_session", number, _ALL)]
    if is_new:
        named = frozenset(sign.holds)
        held = [lease for lease in leases if lease.claim > sign.received or lease.token in named]
        await _release(tx, [lease for lease in leases if lease not in held], now)
        by_token = {lease.token: lease for lease in held}
        reports = [
            (run_id, report)
            for run_id, token, report in sign.progress
            if token in by_token and by_token[token].holds(run_id)
        ]
        await tx.many("runs_progress", sorted(dict(reports).items()))
        leases = held
    asked = [run_id for (run_id,) in await tx.rows("runs_asked")]
    return tuple((run_id, lease.token) for run_id in asked for lease in leases if lease.holds(run_id))


_ALL = 1 << 31  # leases of a session


async def _release(tx: Tx, leases: list[LeaseRow], now: int) -> None:
    """The replies to these claims never arrived: nothing of them has begun."""
    if not leases:
        return
    endings, returns = Endings(tx, now), Returns(tx, now)
    runs = await lock_runs(tx, [run_id for lease in leases for run_id in lease.open_ids])
    for lease in leases:
        for run_id in lease.open_ids:
            run = runs[run_id]
            if run.cancel:
                endings.add(run_id, run.fact, State.CANCELLED.value, reason=run.cancel)
            else:
                returns.add(run, State.SCHEDULED, run.run_at)
        lease.take_away()
    await write_leases(tx, leases, now)
    await endings.write()
    await returns.write()


async def divide(tx: Tx, division: Division) -> list[Bucket]:
    """`Store.divide`."""
    _living(await lock(tx, division.session), division.session)
    first, last = bounds(division, tx.facts.virtual_buckets)
    found = [bucket_of(row) for row in await tx.rows("buckets_lock", first, last)]
    if sum(min(bucket.high, last) - max(bucket.low, first) + 1 for bucket in found) <= last - first:
        raise Again("these buckets were divided anew while this division waited for them")
    for identity in sorted({bucket.owner for bucket in found} & {silent for silent, _ in division.silent}):
        await lock(tx, identity)  # no beat of its comes between this look and the commit
    owners = sorted({division.owner, *(bucket.owner for bucket in found)} - {""})
    known = {row[0]: session_of(row) for row in await tx.rows("sessions_find", owners)} if owners else {}
    new = divided(division, found, known.get)
    await tx.run("buckets_drop", first, last)
    await tx.many("buckets_write", [(bucket.low, bucket.high, bucket.owner, bucket.epoch) for bucket in new])
    return new


def bucket_of(row: Row) -> Bucket:
    low, high, owner, epoch = row
    return Bucket(low=low, high=high, owner=owner, epoch=epoch)

"""Approve a run that waits for it, or refuse it: once, in time, and for exactly what was looked at."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from shike.client import Client
from shike.clock import to_datetime
from shike.errors import ApprovalExpired, ApprovalMismatch, ApprovalUsed, Conflict, NotFound
from shike.ids.runs import BUCKET_BITS
from shike.model import Ended, Live, Run, State
from shike.operate.facts import readable
from shike.operate.runs import find
from shike.store.base import RunFilter, Store
from shike.store.codec import Codec
from shike.store.verbs import Answer, Move
from shike.track import handover, settle
from shike.track.approval import Approval, awaits, decoded, digest_of, encoded, key_of, let_in

LISTED_MAX = 1_000  # of the newest runs that wait, looked through for such


class Request(Struct, frozen=True, kw_only=True):
    """What is to be approved, until when. `digest` stands for all of it: an approval names it."""

    run: str
    graph: str
    task: str
    arguments: Any
    digest: str
    expires_at: datetime


async def requests(client: Client) -> list[Request]:
    """All runs that wait for approval, newest first: among the newest LISTED_MAX that wait for anything."""
    store = await client.store()
    waiting = await store.runs(RunFilter(states=(State.WAITING,), limit=LISTED_MAX))
    return [await _request(store, client.codec, one) for one in waiting if isinstance(one, Live) and awaits(one)]


async def request(client: Client, run_id: int) -> Request:
    """What one run waits for. Raises `NotFound`, `ApprovalUsed`, `ApprovalExpired`, or `Conflict` where it waits for
    none, or not yet."""
    store = await client.store()
    return await _request(store, client.codec, await _waiting(store, run_id))


async def approve(client: Client, run_id: int, digest: str, *, by: str) -> None:
    """Let a run begin. `digest`: of the request that was looked at; `by`: who says so.

    Raises `ApprovalMismatch` where the request is another one, `ApprovalUsed` where somebody decided before,
    `ApprovalExpired` where it was too late. Called again after it was cut off, it completes what was begun.
    """
    await _decide(client, run_id, digest, by, granted=True)


async def refuse(client: Client, run_id: int, digest: str, *, by: str) -> None:
    """Say no: the run is cancelled, and what becomes of its children say their links. Raises as `approve`."""
    await _decide(client, run_id, digest, by, granted=False)


async def _decide(client: Client, run_id: int, digest: str, by: str, *, granted: bool) -> None:
    store = await client.store()
    known = await _waiting(store, run_id)
    asked = await _request(store, client.codec, known)
    if asked.digest != digest:
        raise ApprovalMismatch(
            f"run {run_id} waits for approval of {asked.digest}, not of {digest}: look at it again before you approve"
        )
    now = await store.now()
    if now >= known.run_at:
        raise _expired(run_id, known.run_at)
    approval = Approval(digest=digest, by=by, at=now, granted=granted)
    try:
        await store.put(key_of(run_id), encoded(approval), expect=0)
    except Conflict:
        before = await decision(store, run_id)
        if before is None:
            raise
        await carry_out(store, run_id, before)  # whoever decided may have been cut off
        raise _used(run_id, before) from None
    if await carry_out(store, run_id, approval) is not Answer.ACCEPTED:
        raise await _too_late(store, run_id)


async def carry_out(store: Store, run_id: int, approval: Approval) -> Answer:
    """Do what was decided. Harmless where it was done before: then the run is not waiting any more."""
    known = await store.live(run_id)
    if known is None or not awaits(known):
        return Answer.REFUSED
    if approval.granted:
        wanted = let_in(known.run, known.version, await store.now())
    else:
        reason = f"approval was refused by {approval.by}"
        wanted = Move(run_id=run_id, version=known.version, to=State.CANCELLED, reason=reason)
    (answer,) = await store.move([wanted])
    return answer


async def decision(store: Store, run_id: int) -> Approval | None:
    """What was decided about a run; None: nothing yet."""
    rows = [row for row in await store.controls(key_of(run_id)) if row.key == key_of(run_id)]
    return decoded(rows[0].value) if rows else None


async def _waiting(store: Store, run_id: int) -> Live:
    known = await find(store, run_id)
    if isinstance(known, Live) and awaits(known):
        return known
    before = await decision(store, run_id)
    if before is not None:
        raise _used(run_id, before)
    if known.run.ties is None or not known.run.ties.approval_seconds:
        raise Conflict(f"run {run_id} of {known.run.task} needs no approval")
    if isinstance(known, Ended):
        raise ApprovalExpired(f"run {run_id} is over, {known.state.name}: {known.reason or 'without a reason'}")
    raise Conflict(f"run {run_id} still waits for its parents: what would be approved is not known yet")


async def _too_late(store: Store, run_id: int) -> ApprovalExpired:
    known = await find(store, run_id)
    return ApprovalExpired(f"run {run_id} was {known.state.name} before this approval could let it in")


async def _request(store: Store, codec: Codec, known: Live) -> Request:
    run = known.run
    arguments = await _arguments(store, codec, run)
    return Request(
        run=str(run.id),
        graph=str(run.ties.graph) if run.ties else "",
        task=run.task,
        arguments=readable(arguments),
        digest=digest_of(run.task, arguments),
        expires_at=to_datetime(known.run_at),
    )


async def _arguments(store: Store, codec: Codec, run: Run) -> bytes:
    """As the handler will get them: with the results of parents in their places."""
    payload, name = codec.decode(run.args), settle.options_of(run.options).takes
    if not name:
        return payload
    results, origin = {}, run.replay_of or run.id
    ids = {distance: origin + (distance << BUCKET_BITS) for distance in sorted(handover.wanted(payload, name))}
    found = await store.outcomes(list(ids.values()))
    for distance, parent_id in ids.items():
        parent = found.get(parent_id)
        if parent is None:
            raise NotFound(f"the result of a parent of run {run.id} is not kept any more")
        is_good = parent.state is State.SUCCESS and parent.result
        results[distance] = codec.decode(parent.result) if is_good else b""
    return handover.filled(payload, name, results)


def _used(run_id: int, before: Approval) -> ApprovalUsed:
    how = "approved" if before.granted else "refused"
    at = to_datetime(before.at)
    return ApprovalUsed(
        f"run {run_id} was {how} by {before.by} at {at:%Y-%m-%d %H:%M:%S} UTC; an approval counts once",
        by=before.by,
        at=before.at,
    )


def _expired(run_id: int, at: int) -> ApprovalExpired:
    return ApprovalExpired(f"the approval of run {run_id} expired at {to_datetime(at):%Y-%m-%d %H:%M:%S} UTC")

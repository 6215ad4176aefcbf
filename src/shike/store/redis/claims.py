"""Runs go out: one claim, one script; on a cluster bucket by bucket, in turn."""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

from msgspec.structs import replace

from shike.bounds import CLAIM_RUNS_MAX
from shike.errors import BadInput, SessionClosed
from shike.model import Manner
from shike.store.redis.base import Base
from shike.store.redis.bodies import read_body
from shike.store.redis.records import read_change
from shike.store.redis.sessions import Lives
from shike.store.verbs import Batch, Claim, Claimed

SESSIONS_MAX: Final = 10_000


class Turns:
    """Where a claim went whose answer was lost, on a cluster."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}  # session → (claim number, bucket asked last)

    def began(self, claim: Claim, bucket: int) -> None:
        if len(self._last) >= SESSIONS_MAX:
            self._last.clear()
        self._last[claim.session] = (claim.number, bucket)

    def again(self, claim: Claim) -> list[int]:
        number, bucket = self._last.get(claim.session, (0, 0))
        return [bucket] if number == claim.number else []


def in_turn(asked: Claim, buckets: int) -> list[int]:
    """Each claim begins with another bucket, so that none waits for ever; a repeat with the same one again."""
    first = (zlib.crc32(asked.session.encode()) + asked.number) % buckets
    return [*range(first, buckets), *range(first)]


async def claim(base: Base, turns: Turns, lives: Lives, asked: Claim) -> Batch:
    """A session whose lease is over as far as we know may have beaten elsewhere: look once."""
    if asked.number < 1:
        raise BadInput("claims are counted from 1")
    expires_at = await lives.until(base, asked.session)
    batch = await _claim(base, turns, asked, expires_at)
    if batch is None:
        expires_at = await lives.learn(base, asked.session)
        batch = await _claim(base, turns, asked, expires_at)
    if batch is None:
        raise _closed(asked.session, "its lease is over")
    return batch


async def _claim(base: Base, turns: Turns, asked: Claim, expires_at: int) -> Batch | None:
    if base.server.one_step or base.buckets == 1:
        return await _grant(base, asked, expires_at, in_turn(asked, base.buckets))
    best: Batch | None = None
    for bucket in [*turns.again(asked), *in_turn(asked, base.buckets)]:
        turns.began(asked, bucket)
        batch = await _grant(base, asked, expires_at, [bucket])
        if batch is None:
            return None
        if batch.runs:
            return replace(batch, more=True, next_at=0)
        best = _sooner(best, batch)
    return best


def _sooner(best: Batch | None, batch: Batch) -> Batch:
    """Of empty answers the one that names the earliest instant."""
    if best is None or (batch.next_at and (not best.next_at or batch.next_at < best.next_at)):
        return batch
    return best


async def _grant(base: Base, asked: Claim, expires_at: int, buckets: list[int]) -> Batch | None:
    """What one script grants; None: it takes the session's lease for over."""
    tape: list[Any] = [asked.session, asked.number, expires_at, CLAIM_RUNS_MAX, int(asked.suspects)]
    tape += (asked.suspects_max, len(asked.bands), *asked.bands, len(asked.tasks), *asked.tasks, len(asked.tags))
    for tag, tasks in asked.tags:
        tape += (tag, len(tasks), *tasks)
    tape.append(len(asked.wants))
    for want in asked.wants:
        tape += (want.queue, want.count, want.backlog)
    answer = await base.server.script("claim", base.tags(buckets), tape)
    if answer[0] == b"over":
        return None
    if answer[0] == b"closed":
        raise _closed(asked.session, answer[1].decode())
    _, now, more, next_at, manner, batches = answer
    runs: list[Claimed] = []
    for token, ids, bodies, ats, changes in batches:
        _read_runs(runs, token, ids, bodies, ats, changes)
    return Batch(number=asked.number, now=now, runs=runs, manner=Manner(manner), more=bool(more), next_at=next_at)


def _read_runs(
    runs: list[Claimed], token: int, ids: bytes, bodies: list[bytes], ats: bytes, changes: list[bytes | None]
) -> None:
    count = len(bodies)
    run_ids, run_ats = struct.unpack(f">{count}Q", ids), map(int, struct.unpack(f">{count}d", ats))
    if not changes:
        runs += [
            Claimed(read_body(run_id, body), token, 1, run_at)
            for run_id, body, run_at in zip(run_ids, bodies, run_ats, strict=True)
        ]
        return
    for run_id, body, run_at, raw in zip(run_ids, bodies, run_ats, changes, strict=True):
        run = read_body(run_id, body)
        if raw is None:
            runs.append(Claimed(run, token, 1, run_at))
        else:
            change = read_change(raw)
            runs.append(Claimed(run, token, change.attempts + 1, run_at, change.crashes, change.together))


def _closed(session: str, reason: str) -> SessionClosed:
    return SessionClosed(f"session {session} cannot claim: {reason}", session=session, reason=reason)

"""Planted bugs: each breaks one promise in the way a real system has broken it, and each must be caught.

A promise whose planted bug nobody catches is not checked. Most bugs are a verb of the store that forgets to look at
something; a bug of the node is a role that judges wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any
from unittest.mock import patch

from msgspec import Struct
from msgspec.structs import replace

from shike.clock import MICROS, Clock
from shike.engine import Engine
from shike.model import Bucket, SessionState, State
from shike.scheduler.rescue import Rescuer
from shike.store.base import Control
from shike.store.guards import Entry
from shike.store.hints import Hint
from shike.store.memory import MemoryStore, graphs
from shike.store.verbs import Ack, Answer, Batch, Beat, BeatReply, Claim, Division, Freed, Move, Plan, Submitted
from shike.track.approval import APPROVAL_KEY
from tests.sim import limit_mutants as limits
from tests.sim.roles import Breed


class AckByState(MemoryStore):
    """P3. An acknowledgement checks only that the run is running: a late one ends another's attempt."""

    async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        answers = []
        for ack in acks:
            live = self._tables.runs.get(ack.run_id)
            if live is not None and live.state is State.RUNNING:
                holder = self._tables.leases[live.token].session
                answers += await super().settle(holder, [replace(ack, token=live.token)])
            else:
                answers += await super().settle(session, [ack])
        return answers


class AckById(MemoryStore):
    """P3. An acknowledgement checks only the id: it is accepted whatever became of the run."""

    async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        answers = await super().settle(session, acks)
        return [
            Answer.ACCEPTED if answer in (Answer.ALREADY, Answer.REFUSED) and self._end(ack) else answer
            for ack, answer in zip(acks, answers, strict=True)
        ]

    def _end(self, ack: Ack) -> bool:
        tables, live = self._tables, self._tables.runs.get(ack.run_id)
        if live is not None and live.state is not State.RUNNING and ack.state is State.SUCCESS:
            tables.leave(live)
            tables.end(live, State.SUCCESS, tables.now(), "", ack.token)
        return True


class ClientClock(Rescuer):
    """P3. Whether a lease is over is judged by the rescuer's own wall clock."""

    def _is_dead(self, session: Any, now: int) -> bool:
        return bool(session.expires_at < self._clock.wall())


class ClientClockStore(MemoryStore):
    """The other half of `ClientClock`: the store believes whoever says that a session's time is over."""

    async def close_session(self, session: str, *, seen_beat: int | None, reason: str) -> bool:
        return await super().close_session(session, seen_beat=None, reason=reason)


class MomentWithoutIdentity(MemoryStore):
    """P1. A plan is an insert: told twice, or by two, it makes two runs of one moment."""

    def __init__(self, clock: Clock, **named: Any) -> None:
        super().__init__(clock, **named)
        self._rows = count(1 << 54)

    async def plan(self, plan: Plan) -> bool:
        planned = self._tables.schedules.get(plan.schedule)
        if planned is None:
            return False
        fresh = []
        for moment in plan.moments:
            self._tables.timetable.of(plan.schedule).pop(moment.moment, None)
            run = replace(moment.entry.run, id=next(self._rows) << 8)
            fresh.append(replace(moment, entry=replace(moment.entry, run=run)))
        as_it_is = {"cursor": planned.cursor, "plan_at_seen": planned.plan_at}
        return await super().plan(replace(plan, moments=tuple(fresh), **as_it_is))


class AnyOwner(MomentWithoutIdentity):
    """P1. Whoever believes to own a bucket may plan for it, under whatever epoch: two do, and a moment runs twice."""

    async def plan(self, plan: Plan) -> bool:
        found = (one for one in self._tables.buckets.values() if one.low <= plan.bucket <= one.high)
        return await super().plan(replace(plan, epoch=next(found).epoch))


class NoRescue(Rescuer):
    """P1. Nobody takes back what a dead process held."""

    async def _look(self) -> None:
        return


class AckOnFetch(MemoryStore):
    """P1. Handed out is done: at most once, the default of many."""

    async def claim(self, claim: Claim) -> Batch:
        batch = await super().claim(claim)
        acks = [Ack(claimed.run.id, claimed.token, State.SUCCESS) for claimed in batch.runs]
        await super().settle(claim.session, acks)
        return batch


class EarlyGrant(MemoryStore):
    """P2. A run is granted half a second before its time: it will be due when it arrives."""

    async def claim(self, claim: Claim) -> Batch:
        clock, self._tables.clock = self._tables.clock, _Ahead(self._tables.clock)
        try:
            return await super().claim(claim)
        finally:
            self._tables.clock = clock


class _Ahead:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.monotonic, self.boot = clock.monotonic, clock.boot

    def wall(self) -> int:
        return self._clock.wall() + MICROS // 2


class LostClaimKept(MemoryStore):
    """P1. A claim whose answer was lost is not remembered by its number, and beats keep its lease alive."""

    async def claim(self, claim: Claim) -> Batch:
        row = self._tables.sessions.get(claim.session)
        claimed = row.session.claimed if row is not None else 0
        batch = await super().claim(replace(claim, number=max(claim.number, claimed + 1)))
        return replace(batch, number=claim.number)

    async def beat(self, beat: Beat) -> BeatReply:
        return await super().beat(replace(beat, received=0))


class BehindTheFloor(MemoryStore):
    """P1. What was looked at is never looked at again: a commit behind that floor is never seen."""

    def __init__(self, clock: Clock, **named: Any) -> None:
        super().__init__(clock, **named)
        self._floor = 0

    async def claim(self, claim: Claim) -> Batch:
        self._floor = self.clock.wall()
        return await super().claim(claim)

    async def submit(self, entries: Sequence[Entry], *, repeat: bool = False) -> list[Submitted]:
        known = {entry.run.id for entry in entries if self._tables.is_known(entry.run.id)}
        answers = await super().submit(entries, repeat=repeat)
        for answer in answers:
            live = self._tables.runs.get(answer.run_id)
            if live is not None and answer.run_id not in known and live.run_at < self._floor:
                self._tables.leave(live)
        return answers


class RevivedSession(MemoryStore):
    """P3. A beat brings a session back that had been closed."""

    async def beat(self, beat: Beat) -> BeatReply:
        row = self._tables.sessions.get(beat.session)
        if row is not None and not row.is_open:
            self._tables.update_session(row, state=SessionState.OPEN)
        return await super().beat(beat)


class OldToken(MemoryStore):
    """P6. A rescued run is granted again under its old token, so that fences outside cannot tell."""

    async def free(self, session: str, limit: int) -> Freed:
        freed = await super().free(session, limit)
        if freed.requeued:
            self._tables.token -= 1
        return freed


class LeaseOfTheJump(MemoryStore):
    """P1. An expiry is believed however far ahead it is: a lease lasts as long as the store's clock had jumped."""

    async def beat(self, beat: Beat) -> BeatReply:
        reply = await super().beat(beat)
        self._tables.update_session(self._tables.sessions[beat.session], lease_seconds=0.0)
        return reply


class BlamesTheParty(MemoryStore):
    """P1. Who was under way when a process died is blamed for it, not only who was alone: innocents become poison."""

    async def close_session(self, session: str, *, seen_beat: int | None, reason: str) -> bool:
        closed = await super().close_session(session, seen_beat=seen_beat, reason=reason)
        row = self._tables.sessions[session]
        self._tables.update_session(row, held=min(row.session.held, 1))
        return closed


class NobodyWakes(MemoryStore):
    """P5. Whoever sleeps when a run becomes due goes on sleeping: no wake-up at its moment, no fallback."""

    def tell(self, hint: Hint) -> None:
        return

    async def beat(self, beat: Beat) -> BeatReply:
        return replace(await super().beat(beat), eligible=())

    async def claim(self, claim: Claim) -> Batch:
        return replace(await super().claim(claim), next_at=0)


class SameEpoch(MemoryStore):
    """P6. A bucket changes hands and keeps its epoch: the old owner's writes are still believed."""

    async def divide(self, division: Division) -> list[Bucket]:
        epoch = max(1, *(epoch for _, epoch in division.old))
        same = [replace(bucket, epoch=epoch) for bucket in await super().divide(division)]
        self._tables.buckets |= {bucket.low: bucket for bucket in same}
        return same


class LostPart(MemoryStore):
    """P7. A split forgets the last part: nobody owns its virtual buckets, and nobody plans for them."""

    async def divide(self, division: Division) -> list[Bucket]:
        parts = await super().divide(division)
        if len(parts) > len(division.old):
            del self._tables.buckets[parts[-1].low]
        return parts


class SilentSkip(MemoryStore):
    """P7. Moments that do not run are passed over without a row."""

    async def plan(self, plan: Plan) -> bool:
        return await super().plan(replace(plan, ranges=()))


class FreedByAnAttempt(MemoryStore):
    """P6. A child is freed when an attempt of its parent is over, though the parent's row is not final: it is tried
    again."""

    async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        answers = await super().settle(session, acks)
        for ack, answer in zip(acks, answers, strict=True):
            live = self._tables.runs.get(ack.run_id)
            if answer is Answer.ACCEPTED and ack.state is State.FAILED and live is not None and live.run.ties:
                graphs.parent_ended(self._tables, live.run, State.SUCCESS, self._tables.now(), ())
        return answers


class FreedByARepeat(MemoryStore):
    """P6. An acknowledgement that was accepted before counts once more for the children: they do not wait for all."""

    async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        answers = await super().settle(session, acks)
        for ack, answer in zip(acks, answers, strict=True):
            ended = self._tables.ended(ack.run_id)
            if answer is Answer.ALREADY and ended is not None and ended.run.ties:
                graphs.parent_ended(self._tables, ended.run, State.SUCCESS, self._tables.now(), ())
        return answers


class ForgottenChild(MemoryStore):
    """P1. Only a worker's word frees children: what an operator or a rescue ends leaves them waiting for ever."""

    async def free(self, session: str, limit: int) -> Freed:
        with patch.object(graphs, "parent_ended", lambda *words: None):
            return await super().free(session, limit)

    async def move(self, moves: Sequence[Move]) -> list[Answer]:
        with patch.object(graphs, "parent_ended", lambda *words: None):
            return await super().move(moves)


class ApprovalNotConsumed(MemoryStore):
    """P3. An approval is looked at and not used up: nothing on record says that it was given."""

    async def put(self, key: str, value: bytes | None, *, expect: int | None) -> Control | None:
        if key.startswith(APPROVAL_KEY) and value is not None:
            return Control(key=key, value=value, version=1)
        return await super().put(key, value, expect=expect)


def sleepwalker(engine: Engine) -> None:
    """P4. A worker believes in its lease however long it slept, and begins what others have taken over."""
    if engine.worker is not None:
        setattr(engine.member, "valid", lambda: True)  # noqa: B010
        engine.worker.slots.valid = engine.member.valid


def past_its_lease(engine: Engine) -> None:
    """P6. A node that cannot renew goes on to plan for its buckets."""
    setattr(engine.member, "owning", lambda confirmed_at: engine.member.session is not None)  # noqa: B010


def impatient(engine: Engine) -> None:
    """P6. A node takes whoever's buckets it likes: that it has not heard of the owner just now is enough."""
    if engine.node is not None:
        setattr(engine.node.buckets.peers, "_is_silent", lambda node, seen: True)  # noqa: B010


def forgets_lanes(engine: Engine) -> None:
    """P1. What a dead worker held is rescued, and what only stood in its lane is not."""

    async def nothing(*_: object) -> list[Move]:
        return []

    if engine.node is not None:
        setattr(engine.node.router, "_rescues", nothing)  # noqa: B010


def _rescuer(kind: type[Rescuer]) -> Callable[[Engine], None]:
    def plant(engine: Engine) -> None:
        if engine.node is not None:
            sound = engine.node.rescuer
            engine.node.rescuer = kind(sound._store, sound._member, sound._clock, sound._lease_seconds)

    return plant


class Mutant(Struct, frozen=True):
    """A planted bug and the promise it breaks: only a violation of that very promise counts as caught."""

    promise: str
    breed: Breed
    seen_by: int = 0  # a seed that catches it: where to look first


MUTANTS: dict[str, Mutant] = {
    mutant.breed.name: mutant
    for mutant in (
        Mutant("P3", Breed("ack-by-state", AckByState), seen_by=1),
        Mutant("P3", Breed("ack-by-id", AckById)),
        Mutant("P3", Breed("client-clock", ClientClockStore, _rescuer(ClientClock)), seen_by=15),
        Mutant("P1", Breed("moment-without-identity", MomentWithoutIdentity), seen_by=3),
        Mutant("P1", Breed("no-rescue", plant=_rescuer(NoRescue))),
        Mutant("P1", Breed("ack-on-fetch", AckOnFetch)),
        Mutant("P2", Breed("early-grant", EarlyGrant)),
        Mutant("P1", Breed("lost-claim-kept", LostClaimKept), seen_by=2),
        Mutant("P1", Breed("behind-the-floor", BehindTheFloor)),
        Mutant("P3", Breed("revived-session", RevivedSession), seen_by=1),
        Mutant("P4", Breed("sleepwalker", plant=sleepwalker), seen_by=4),
        Mutant("P6", Breed("old-token", OldToken)),
        Mutant("P1", Breed("lease-of-the-jump", LeaseOfTheJump), seen_by=14),
        Mutant("P1", Breed("blames-the-party", BlamesTheParty)),
        Mutant("P5", Breed("nobody-wakes", NobodyWakes), seen_by=1),
        Mutant("P6", Breed("same-epoch", SameEpoch)),
        Mutant("P6", Breed("past-its-lease", plant=past_its_lease)),
        Mutant("P6", Breed("impatient", plant=impatient)),
        Mutant("P1", Breed("two-owners", AnyOwner, past_its_lease), seen_by=4),
        Mutant("P1", Breed("lane-of-the-dead", plant=forgets_lanes), seen_by=3),
        Mutant("P7", Breed("lost-part", LostPart), seen_by=1),
        Mutant("P7", Breed("silent-skip", SilentSkip)),
        Mutant("P6", Breed("freed-by-an-attempt", FreedByAnAttempt)),
        Mutant("P6", Breed("freed-by-a-repeat", FreedByARepeat), seen_by=31),
        Mutant("P1", Breed("forgotten-child", ForgottenChild)),
        Mutant("P3", Breed("approval-not-consumed", ApprovalNotConsumed)),
        Mutant("P3", Breed("limit-per-node", plant=limits.counts_per_node), seen_by=1),
        Mutant("P3", Breed("permit-given-back-at-rescue", limits.GivenBackAtRescue), seen_by=1),
        Mutant("P3", Breed("permit-not-held", limits.NotHeld), seen_by=1),
        Mutant("P3", Breed("child-past-its-gate", limits.PastItsGate), seen_by=2),
        Mutant("P3", Breed("strays-begin", plant=limits.lets_strays_begin), seen_by=2),
    )
}


def breed(mutant: str) -> Breed:
    """The cluster with this bug planted; empty: as shipped."""
    return MUTANTS[mutant].breed if mutant else Breed()

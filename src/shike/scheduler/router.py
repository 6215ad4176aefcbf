"""The router: puts routed runs into workers' lanes, keeps why, and moves on what stands in the wrong one.

One node routes at a time, whoever owns the first bucket; safety does not hang on it, for each move compares the run's
version. It does nothing at all while nothing is routed: a hint or a beat tells it of the first run in a hall.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from shike.clock import MICROS, Clock
from shike.errors import BadInput, StoreError
from shike.lanes import is_hall, is_routed, worker_of
from shike.model import RECORD_VERSION, Attempt, Live, OnGone, Route, State
from shike.outage import Outage
from shike.route.balance import Balance
from shike.route.bounds import (
    DIVIDED_ANEW_MAX,
    HOUR_KEPT,
    HOUR_STEP_SECONDS,
    LAGGING_SECONDS,
    LOOK_SECONDS,
    MOVES_PER_ROUND_MAX,
    MOVES_PER_RUN_MAX,
    MOVES_REMEMBERED,
    SNAPSHOTS_KEPT,
)
from shike.route.chooser import Chooser, is_gone
from shike.route.fitness import unfit
from shike.route.nouns import Ask, Candidate, Decision, Snapshot, pack, pack_snapshot
from shike.runtime import woken
from shike.scheduler.buckets import Buckets
from shike.scheduler.workers import Fleet
from shike.session import Member
from shike.store.base import Standing, Store
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Answer, BeatReply, Move
from shike.track.settle import options_of, pack_attempt

log = logging.getLogger("shike.scheduler")

SNAPSHOT_ROW = "route/snapshot/"  # + n: control rows, a ring of SNAPSHOTS_KEPT
HOUR_ROW = "route/hour/"  # + n: of each half minute of the last hour in which anything was decided, one snapshot
MEMORY_ROW = "route/memory"  # a control row: what strategies have to know after a restart


class Kept(Struct, frozen=True):
    """What a new router goes on from."""

    snapshots: int
    strategies: dict[str, Any]


class Router:
    """`routed` counts runs that were put into a lane, `moved_on` those that left one for another."""

    def __init__(self, store: Store, member: Member, clock: Clock, buckets: Buckets, draw: Callable[[], float]) -> None:
        self._store = store
        self._member = member
        self._clock = clock
        self._buckets = buckets
        self._draw = draw
        self._fleet = Fleet(clock, store.is_gone)
        self.balance = Balance()
        self._chooser: Chooser | None = None  # while this node is the one that routes
        self._snapshots = 0
        self._snapshot_of = -1  # the fleet's round
        self._hour_step = -1  # the half minute of which a snapshot was kept last
        self._is_kept = False  # whether the present snapshot is in the store
        self._balanced_at = -1  # the round in which lanes were last compared
        self._well: frozenset[str] = frozenset()  # among whom work was divided
        self._moved: dict[int, int] = {}  # run → how often it was moved on; those moved first are forgotten first
        self._complained: set[str] = set()
        self._wake = asyncio.Event()
        self._outage = Outage(log, "routing")
        self.routed = 0
        self.moved_on = 0
        member.on_reply.append(self._heard)

    def hinted(self, hint: Hint) -> None:
        """Something entered a hall; or somebody came, whose turn it may be."""
        is_due = hint.kind is HintKind.DUE and is_hall(hint.queue) and hint.at <= self._member.store_now()
        if is_due or (hint.kind is HintKind.SESSION and self._chooser is not None):
            self._wake.set()

    def _heard(self, reply: BeatReply) -> None:
        if any(map(is_routed, reply.eligible)):
            self._wake.set()

    async def run(self) -> None:
        """The role."""
        pause: float | None = None
        while True:
            await woken(self._wake, pause)
            self._wake.clear()
            try:
                pause = LOOK_SECONDS if await self._look() else None
                self._outage.over()
            except StoreError as error:
                pause = self._outage.pause(error)

    async def _look(self) -> bool:
        """One round; whether to look again soon. Runs that nobody may have wait for the next beat or for who comes."""
        if self._buckets.holder_of(0) is None:  # another node's
            self._chooser = None
            return False
        standing = await self._store.lanes()
        if not standing:
            return False
        chooser = self._chooser or await self._begin()
        workers = self._fleet.look(await self._store.sessions(), standing)
        if self._fleet.round != self._snapshot_of:
            self._snapshot_of = self._fleet.round
            self._snapshots += 1
            self._is_kept = False
        snapshot = Snapshot(id=str(self._snapshots), at=self._member.store_now(), workers=workers)
        chooser.look(snapshot)
        well = frozenset(one.session for one in workers if one.silent_seconds <= LAGGING_SECONDS)
        moves = await self._rescues(chooser, snapshot, standing, well)
        if not moves and self._well != well:
            self._well = well
            moves = await self._divided_anew(chooser, standing, well)
        if not moves and self._balanced_at != self._snapshot_of:
            self._balanced_at = self._snapshot_of
            moves = await self._shifts(chooser, standing, snapshot)
        left = False
        for one in standing:
            if is_hall(one.lane):
                found = await self._hall(chooser, one, snapshot)
                moves += found
                left = left or len(found) >= MOVES_PER_ROUND_MAX
        await self._do(chooser, snapshot, moves)
        return left or chooser.crowded

    async def _begin(self) -> Chooser:
        """It is this node's turn: go on where the one before left off."""
        kept = Kept(snapshots=0, strategies={})
        for row in await self._store.controls(MEMORY_ROW):
            try:
                kept = msgspec.json.decode(row.value, type=Kept)
            except msgspec.MsgspecError:
                log.warning("what routes remember cannot be read; they begin anew")
        self._snapshots = kept.snapshots
        self._snapshot_of = self._balanced_at = -1
        self._chooser = Chooser(self._draw, kept.strategies)
        return self._chooser

    # ---------------------------------------------------------------- deciding

    async def _hall(self, chooser: Chooser, hall: Standing, snapshot: Snapshot) -> list[Move]:
        """Decisions for the first runs of a hall."""
        limit = MOVES_PER_ROUND_MAX
        while True:
            runs = await self._store.standing(hall.lane, limit)
            moves = [move for live in runs if (move := self._decide(chooser, live, snapshot)) is not None]
            if moves or len(runs) < limit or limit >= 8 * MOVES_PER_ROUND_MAX:
                return moves
            limit *= 2  # none of the first can be placed: others may be

    def _decide(self, chooser: Chooser, live: Live, snapshot: Snapshot, besides: str = "") -> Move | None:
        """Where a run goes, or that it expired; None: it waits."""
        run, now = live.run, self._member.store_now()
        if run.expires_at and now >= run.expires_at and live.attempts == 0:
            reason = "expired: no worker could be given it in time"
            return Move(run_id=run.id, version=live.version, to=State.SKIPPED, reason=reason)
        try:
            ask = _ask(live)
            if ask.route.on_gone is OnGone.SKIP and is_gone(snapshot, ask.route):
                reason = f"its worker {ask.route.session[:8]} is gone: not done there"
                return Move(run_id=run.id, version=live.version, to=State.SKIPPED, reason=reason)
            decision = chooser.decide(ask, besides=besides, moved=self._moved.get(run.id, 0) + bool(besides))
        except BadInput as error:
            self._complain(f"run {run.id} waits: {error}", str(error))
            return None
        return None if decision is None else _assignment(live, decision, now)

    def _complain(self, words: str, about: str) -> None:
        if about not in self._complained:
            self._complained.add(about)
            log.warning("%s", words)

    # ---------------------------------------------------------------- moving on

    async def _rescues(
        self, chooser: Chooser, snapshot: Snapshot, standing: Sequence[Standing], well: frozenset[str]
    ) -> list[Move]:
        """The lanes of workers that are dead or lag: each run to another, or back to the hall."""
        moves = []
        for one in standing:
            owner = worker_of(one.lane)
            if owner and owner not in well:
                for live in await self._store.standing(one.lane, MOVES_PER_ROUND_MAX):
                    move = self._decide(chooser, live, snapshot, besides=owner)
                    moves.append(move or Move(run_id=live.run.id, version=live.version, to=State.SCHEDULED))
        return moves

    async def _divided_anew(self, chooser: Chooser, standing: Sequence[Standing], well: frozenset[str]) -> list[Move]:
        """Workers came or went: parts of divided work that have not begun go to whom they are at home with now."""
        moves, now = [], self._member.store_now()
        for one in standing:
            owner = worker_of(one.lane)
            for live in await self._store.standing(one.lane, DIVIDED_ANEW_MAX) if owner in well else ():
                try:
                    decision = chooser.anew(_ask(live), owner, self._moved.get(live.run.id, 0) + 1)
                except BadInput:  # a newer program's
                    continue
                if decision is not None:
                    moves.append(_assignment(live, decision, now))
        return moves

    async def _shifts(self, chooser: Chooser, standing: Sequence[Standing], snapshot: Snapshot) -> list[Move]:
        """Level the lanes, once a round of beats; the last in a lane move first. A run that its new worker may not have
        stays where it is, and so does one whose route means the worker that it has."""
        by_session = {worker.session: worker for worker in snapshot.workers}
        lanes: dict[str, list[str]] = {}
        for one in standing:
            lanes.setdefault(worker_of(one.lane), []).append(one.lane)
        moves: list[Move] = []
        taken: set[int] = set()
        for shift in self.balance.decide(snapshot.workers):
            count = shift.count
            for lane in lanes.get(shift.source, ()):
                for live in reversed(await self._store.standing(lane, MOVES_PER_ROUND_MAX)):
                    if count > 0 and live.run.id not in taken and self._may_move(chooser, live):
                        move = self._shift(live, by_session[shift.source], by_session[shift.target], snapshot)
                        if move is not None:
                            moves.append(move)
                            taken.add(live.run.id)
                            count -= 1
        return moves

    def _may_move(self, chooser: Chooser, live: Live) -> bool:
        if self._moved.get(live.run.id, 0) >= MOVES_PER_RUN_MAX:
            return False
        try:
            route = options_of(live.run.options).route or Route()
            return not (route.affinity or route.session or chooser.strategy(route.by).stays)
        except BadInput:  # a newer program's
            return False

    def _shift(self, live: Live, source: Candidate, target: Candidate, snapshot: Snapshot) -> Move | None:
        route = options_of(live.run.options).route or Route()
        decision = shifted(live, route, source, target, snapshot, self._moved.get(live.run.id, 0) + 1)
        return None if decision is None else _assignment(live, decision, self._member.store_now())

    # ---------------------------------------------------------------- doing

    async def _do(self, chooser: Chooser, snapshot: Snapshot, moves: list[Move]) -> None:
        if not moves:
            return
        if not self._is_kept:
            await self._keep(chooser, snapshot)
        for start in range(0, len(moves), MOVES_PER_ROUND_MAX):
            part = moves[start : start + MOVES_PER_ROUND_MAX]
            answers = await self._store.move(part)
            for move, answer in zip(part, answers, strict=True):
                if answer is Answer.ACCEPTED and move.to is State.ASSIGNED:
                    self._note(move)

    def _note(self, move: Move) -> None:
        self.routed += 1
        if move.reason:  # it was moved on
            self.moved_on += 1
            self._moved[move.run_id] = self._moved.pop(move.run_id, 0) + 1
            if len(self._moved) > MOVES_REMEMBERED:
                del self._moved[next(iter(self._moved))]

    async def _keep(self, chooser: Chooser, snapshot: Snapshot) -> None:
        """The snapshot of this round of beats, before any decision that names it; and what strategies remember."""
        await self._store.put(snapshot_row(self._snapshots), pack_snapshot(snapshot), expect=None)
        step = snapshot.at // round(HOUR_STEP_SECONDS * MICROS)
        if step != self._hour_step:
            self._hour_step = step
            await self._store.put(f"{HOUR_ROW}{step % HOUR_KEPT}", pack_snapshot(snapshot), expect=None)
        kept = Kept(snapshots=self._snapshots, strategies=chooser.memories())
        await self._store.put(MEMORY_ROW, msgspec.json.encode(kept), expect=None)
        self._is_kept = True


def snapshot_row(number: int) -> str:
    """Where the snapshot of that number is kept, until its place is needed for another."""
    return f"{SNAPSHOT_ROW}{number % SNAPSHOTS_KEPT}"


def shifted(
    live: Live, route: Route, source: Candidate, target: Candidate, snapshot: Snapshot, moved: int
) -> Decision | None:
    """A run that moves for the sake of balance; None where its new worker may not have it."""
    if unfit(target, route, live.run.task, live.run.queue):
        return None
    return Decision(
        by=route.by,
        to=target.session,
        worker=target.name,
        rule=f"balance: {source.name} has {source.lane} waiting, {target.name} {target.lane}",
        snapshot=snapshot.id,
        moved=moved,
        source=source.session,
    )


def _ask(live: Live) -> Ask:
    """What a run wants. Raises `BadInput` for options that this program cannot read."""
    run = live.run
    route = options_of(run.options).route or Route()
    return Ask(run.id, run.task, run.queue, route, route.key or run.key or run.task)


def _assignment(live: Live, decision: Decision, now: int) -> Move:
    """Into that worker's lane, with why."""
    version = live.version + 1
    note = Attempt(
        RECORD_VERSION, live.attempts + 1, -version, decision.to, State.ASSIGNED, claimed_at=now, error=pack(decision),
        worker=decision.worker,
    )  # fmt: skip
    return Move(
        run_id=live.run.id,
        version=live.version,
        to=State.ASSIGNED,
        reason=f"moved on from {decision.source[:8]}" if decision.source else "",
        worker=decision.to,
        note=pack_attempt(note),
    )

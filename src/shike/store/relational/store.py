"""`RelationalStore`: the protocol's face over a dialect. `PostgresStore` is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shike.bounds import SESSIONS_LISTED, SUBMIT_BATCH_MAX
from shike.errors import ForeignStore, StoreUnavailable
from shike.ids.forks import FORKS
from shike.model import Attempt, Bucket, Ended, Live, Planned, Schedule, ScheduleVersion, Session, TimetableRow
from shike.store.base import Control, Counts, Gated, RunFilter, Standing
from shike.store.checks import check_entries
from shike.store.gather import Gather
from shike.store.guards import Entry
from shike.store.guests import Guest
from shike.store.hints import Hint
from shike.store.liveness import Liveness, of_this_machine
from shike.store.memory.listeners import Listeners
from shike.store.relational import change, claims, keeping, reads, rescue, routed, schedules, sessions, settle, submit
from shike.store.relational.guest import GuestLink
from shike.store.relational.runner import Runner
from shike.store.verbs import (
    Ack,
    Answer,
    Batch,
    Beat,
    BeatReply,
    Claim,
    Division,
    Freed,
    Move,
    NewSession,
    Plan,
    Retention,
    Submitted,
)

VIRTUAL_BUCKETS = frozenset({1, 64, 256})
LONE_SUBMITS_MAX = 1_000  # that share one statement


class RelationalStore:
    """The verbs of a server database. A dialect opens and closes it (`_runner`), and tells other processes (`_spread`).

    Promises the contract of `shike.store.base.Store`. Verbs may be called from any event loop: each has connections of
    its own. Submits that come at the same time share a statement. A call whose connection is lost raises
    `StoreUnavailable`, and may be repeated with the same words.
    """

    any_thread = True
    blocks = False

    def __init__(self, url: str, namespace: str) -> None:
        self.url = url
        self.namespace = namespace
        self._liveness = Liveness(of_this_machine(namespace))
        self.virtual_buckets = 1
        self._runner: Runner | None = None
        self._place: tuple[object, ...] | None = None
        self._listeners = Listeners()
        self._line: Gather[list[Entry], list[Submitted]] = Gather(
            self._submit_together, most=LONE_SUBMITS_MAX, weigh=len
        )
        FORKS.in_child(self._line.forget)

    async def open(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    def warnings(self) -> list[str]:
        """What the server may lose as it is set, and was accepted by name (P8)."""
        return []

    @property
    def _run(self) -> Runner:
        if self._runner is None:
            raise StoreUnavailable("the store is not open; open it first")
        return self._runner

    # ---------------------------------------------------------------- hints

    def listen(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        return self._listeners.add(callback)

    def tell(self, hint: Hint) -> None:
        self._tell([hint])

    def _tell(self, hints: list[Hint]) -> None:
        if self._listeners:
            self._listeners.tell(hints)
        self._spread(hints)

    def _spread(self, hints: list[Hint]) -> None:
        """Tell other processes. Never waits."""

    def is_gone(self, session: str) -> bool:
        """Provable on this machine alone: a connection that is lost does not say why."""
        return self._liveness.is_gone(session)

    def is_alive(self, session: str) -> bool:
        return self._liveness.is_held(session)

    # ---------------------------------------------------------------- the write side

    async def open_session(self, new: NewSession) -> Session:
        return await self._liveness.opening(new, lambda: self._run.write(sessions.open_session, new))

    async def beat(self, beat: Beat) -> BeatReply:
        return await self._run.write(sessions.beat, beat)

    async def close_session(self, session: str, *, seen_beat: int | None, reason: str) -> bool:
        words = session, seen_beat, reason, self.is_gone(session), self.is_alive(session)
        return await self._liveness.closing(session, seen_beat, lambda: self._run.write(sessions.close_session, *words))

    async def free(self, session: str, limit: int) -> Freed:
        return await self._liveness.freeing(session, lambda: self._run.write(rescue.free, session, limit))

    async def divide(self, division: Division) -> list[Bucket]:
        return await self._run.write(sessions.divide, division)

    async def submit(self, entries: Sequence[Entry], *, repeat: bool = False) -> list[Submitted]:
        if repeat or len(entries) != 1 or entries[0].guards or entries[0].effects:
            return await self._run.write(submit.submit, entries, repeat)
        check_entries(entries)
        return await self._line.ask(list(entries))

    async def learn(self, entries: Sequence[Entry]) -> None:
        """Have the names in these entries ready for `submit_on`: from here on they have numbers for ever."""
        await self._run.write(submit.learn, entries)
        if self._place is None:
            self._place = tuple((await self._run.read(submit.place))[:2])

    async def submit_on(self, guest: Guest, entries: Sequence[Entry]) -> list[Submitted]:
        """`submit` in the transaction that is open on a connection of the user's own; `learn` comes first.

        Gives way to an event loop only where the driver does. Raises `BadInput` where no transaction is open, or an
        aborted one, `ForeignStore` where the connection leads elsewhere than to this store, `StoreUnavailable` where
        the server took the user's transaction back.
        """
        link = self._guest(guest)
        (*place, where), _ = await self._run.on(link, submit.place)
        if tuple(place) != self._place:
            raise _elsewhere(self.namespace, where, is_there=bool(place[-1]))
        answers, hints = await self._run.on(link, submit.submit, entries)
        await self._tell_on(link, hints)
        return answers

    def _guest(self, guest: Guest) -> GuestLink:
        raise NotImplementedError

    async def _tell_on(self, link: GuestLink, hints: list[Hint]) -> None:
        """Tell other processes at the user's commit, where the server can do that; else they see it at a beat."""

    async def _submit_together(self, groups: list[list[Entry]]) -> Sequence[list[Submitted] | BaseException]:
        """One statement for all that gathered. Where it is refused, each is told its own answer."""
        if len(groups) > 1 and len(together := [entry for group in groups for entry in group]) <= SUBMIT_BATCH_MAX:
            try:
                answers = await self._run.write(submit.submit, together)
                return [[answer] for answer in answers]
            except submit.REFUSED:
                pass
        found: list[list[Submitted] | BaseException] = []
        for group in groups:
            try:
                found.append(await self._run.write(submit.submit, group))
            except Exception as error:
                found.append(error)
        return found

    async def claim(self, claim: Claim) -> Batch:
        return await self._run.write(claims.claim, claim)

    async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        return await self._run.write(settle.settle, session, acks)

    async def move(self, moves: Sequence[Move]) -> list[Answer]:
        return await self._run.write(change.move, moves)

    async def plan(self, plan: Plan) -> bool:
        return await self._run.write(schedules.plan, plan)

    async def put_schedule(self, schedule: Schedule, *, expect: int | None, plan_at: int) -> Planned:
        return await self._run.write(schedules.put_schedule, schedule, expect, plan_at)

    async def control_schedule(
        self,
        name: str,
        *,
        paused: bool | None = None,
        reason: str = "",
        resume_at: int = 0,
        delete: bool = False,
    ) -> Planned:
        return await self._run.write(schedules.control_schedule, name, paused, reason, resume_at, delete)

    async def put(self, key: str, value: bytes | None, *, expect: int | None) -> Control | None:
        return await self._run.write(keeping.put, key, value, expect)

    async def purge(self, keep: Retention) -> int:
        gone = await self._run.write(keeping.purge, keep)
        return gone + await self._run.write(keeping.purge_history, keep, keep.rows_max - gone)

    async def drop_dead(self, run_ids: Sequence[int]) -> int:
        return await self._run.write(keeping.drop_dead, run_ids)

    # ---------------------------------------------------------------- the read side

    async def now(self) -> int:
        return await self._run.read(reads.now)

    async def live(self, run_id: int) -> Live | None:
        return await self._run.read(reads.live, run_id)

    async def ended(self, run_id: int) -> Ended | None:
        return await self._run.read(reads.ended, run_id)

    async def outcomes(self, run_ids: Sequence[int]) -> dict[int, Ended]:
        return await self._run.read(reads.outcomes, run_ids)

    async def find(self, run_id: int) -> Live | Ended | None:
        return await self._run.read(reads.find, run_id)

    async def runs(self, wanted: RunFilter) -> list[Live | Ended]:
        return await self._run.read(reads.runs, wanted)

    async def attempts(self, run_id: int) -> list[Attempt]:
        return await self._run.read(reads.attempts, run_id)

    async def decisions(self, run_id: int) -> list[Attempt]:
        return await self._run.read(routed.decisions, run_id)

    async def lanes(self) -> list[Standing]:
        return await self._run.read(routed.lanes)

    async def standing(self, lane: str, limit: int) -> list[Live]:
        return await self._run.read(routed.standing, lane, limit)

    async def of_band(self, lane: str, band: int, after: int, limit: int) -> list[Live]:
        return await self._run.read(routed.of_band, lane, band, after, limit)

    async def due(self, low: int, high: int, after: int, until: int, limit: int) -> list[tuple[int, str]]:
        return await self._run.read(reads.due, low, high, after, until, limit)

    async def gated(self, low: int, high: int, after: int, until: int, limit: int) -> list[Gated]:
        return await self._run.read(reads.gated, low, high, after, until, limit)

    async def holders(self, gate: str) -> list[int]:
        return await self._run.read(reads.holders, gate)

    async def gate_waiters(self, gate: str, limit: int) -> list[Gated]:
        return await self._run.read(reads.gate_waiters, gate, limit)

    async def schedule(self, name: str) -> Planned | None:
        return await self._run.read(reads.schedule, name)

    async def schedules(self) -> list[Planned]:
        return await self._run.read(reads.schedules)

    async def versions(self, name: str) -> list[ScheduleVersion]:
        return await self._run.read(reads.versions, name)

    async def to_plan(self, low: int, high: int, until: int, limit: int) -> list[Planned]:
        return await self._run.read(reads.to_plan, low, high, until, limit)

    async def timetable(self, schedule: str, start: int, end: int) -> list[TimetableRow]:
        return await self._run.read(reads.timetable, schedule, start, end)

    async def sessions(self, *, all: bool = False, limit: int = SESSIONS_LISTED) -> list[Session]:
        return await (self._run.read(reads.listed_sessions, limit) if all else self._run.read(reads.present))

    async def left_over(self) -> list[Session]:
        return await self._run.read(reads.left_over)

    async def held(self, session: str) -> int:
        return await self._run.read(reads.held, session)

    async def buckets(self) -> list[Bucket]:
        return await self._run.read(reads.buckets)

    async def dead(self, limit: int, before: int = 0, task: str = "") -> list[Ended]:
        return await self._run.read(reads.dead, limit, before, task)

    async def unsuccessful(self, since: int, behind: int, limit: int) -> list[Ended]:
        return await self._run.read(reads.unsuccessful, since, behind, limit)

    async def controls(self, prefix: str) -> list[Control]:
        return await self._run.read(reads.controls, prefix)

    async def counts(self) -> Counts:
        return await self._run.read(reads.counts)


def _elsewhere(namespace: str, where: str, *, is_there: bool) -> ForeignStore:
    found = "of another store than this app's" if is_there else "missing"
    return ForeignStore(
        f"the tables {namespace}_… are {found} where this connection looks ({where}); give one to the database "
        "that the app's store URL names, and on PostgreSQL with the same search_path"
    )

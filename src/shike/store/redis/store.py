"""`RedisStore`: the protocol's face over scripts."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from shike.bounds import CRASHES_MAX, SESSIONS_LISTED, SUBMIT_BATCH_MAX
from shike.clock import Clock, SystemClock
from shike.errors import BadInput, BadSetting, StoreError
from shike.ids import SystemEntropy
from shike.ids.forks import FORKS
from shike.model import (
    TERMINAL,
    Bucket,
    Ended,
    Live,
    Planned,
    Schedule,
    ScheduleVersion,
    Session,
    TimetableRow,
)
from shike.store.archiving import Carried
from shike.store.base import Control, Counts, Gated, RunFilter
from shike.store.checks import check_entries
from shike.store.gather import Gather
from shike.store.guards import Entry
from shike.store.hints import Hint
from shike.store.liveness import Liveness, of_this_machine
from shike.store.portable import Marker
from shike.store.records import Kind, Record
from shike.store.redis import archive, claims, keeping, loading, portable, reads, schedules, sessions, settle, submit
from shike.store.redis.archive import Archive
from shike.store.redis.base import HOME, Base
from shike.store.redis.cluster import Cluster
from shike.store.redis.copied import copied
from shike.store.redis.news import News
from shike.store.redis.opening import Risk, check, prepare
from shike.store.redis.options import check_namespace, parse
from shike.store.redis.routed import Routed
from shike.store.redis.server import Head, OneServer, Server
from shike.store.redis.submit import Submission
from shike.store.redis.telling import Telling
from shike.store.redis.wire import Address
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

log = logging.getLogger("shike.store")

VIRTUAL_BUCKETS: Final = frozenset({1, 64, 256})


class RedisStore(Routed):
    """Keeps everything in Redis, for any number of processes on any number of machines.

    Promises the contract of `shike.store.base.Store` by the server's clock; `clock` replaces it in tests. What is
    answered is in the server's memory; with an append-only file, `everysec`, a power loss may take the last two
    seconds (P8), and with `?wait=n` an answer means that n replicas have it, too. Decisions read the primary alone.
    Exact order holds within a virtual bucket: over everything where there is one. On a cluster a submission over
    several buckets is whole in each of them. Verbs may be called from any event loop. `virtual_buckets` is fixed when
    the store is made; None takes what is there, or 1; 64 on a cluster. Raises `BadSetting`, `BadStoreURL`.
    """

    any_thread = True

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        namespace: str = "shike",
        virtual_buckets: int | None = None,
        crashes_max: int = CRASHES_MAX,
    ) -> None:
        if virtual_buckets is not None and virtual_buckets not in VIRTUAL_BUCKETS:
            raise BadSetting(f"virtual_buckets={virtual_buckets}: a store has 1, 64 or 256")
        check_namespace(namespace)
        options = parse(url)
        self.url = url
        self.namespace = namespace
        self._liveness = Liveness(of_this_machine(namespace))
        self.virtual_buckets = virtual_buckets or options.virtual_buckets
        self._options = options
        self.blocks = not options.cluster  # for code without an event loop; the nodes of a cluster are found on one
        self._clock = clock
        self._buckets_wanted = virtual_buckets
        self._crashes_max = crashes_max
        self._channel = b"{%s:%d}:news" % (namespace.encode(), HOME)
        self._news = News(options, self._channel, self._near)
        self._lives = sessions.Lives()
        self._turns = claims.Turns()
        self._submits: Gather[Submission, list[Submitted]] = Gather(
            self._submit, most=SUBMIT_BATCH_MAX, weigh=submit.weight
        )
        self._telling = Telling(self._publish)
        self._risks: list[Risk] = []
        self._base: Base | None = None
        self._archive = Archive(options, namespace, clock or SystemClock()) if options.history_url else None
        FORKS.in_child(self._forked)

    # ---------------------------------------------------------------- opening and closing

    async def open(self) -> None:
        if self._base is not None:
            return
        tags = [b"{%s:%d}" % (self.namespace.encode(), bucket) for bucket in range(self.virtual_buckets)]
        kind = Cluster if self._options.cluster else OneServer
        first: Server = kind(self._options, self._head(self.virtual_buckets, 0, ""))
        try:
            self._risks = await check(first, tags, self._options)
            adopt = _nothing_before if self._archive is None else self._archive.adopt
            made = await prepare(first, tags[HOME], self._options, self._buckets_wanted, adopt)
        finally:
            await first.close()
        self.virtual_buckets = made.virtual_buckets
        server: Server = kind(self._options, self._head(*made))
        self._base = Base(server, self._options, self.namespace, self.virtual_buckets, self._crashes_max)
        if self._archive is not None:
            self._archive.life, self._archive.base = made.life, self._base
        if self._options.history_url is not None:
            await archive.begin_or_end(self._base, begins=self._archive is not None)

    def _head(self, buckets: int, slice_micros: int, life: str) -> Head:
        clock, facts = self._clock, (self._channel, buckets, slice_micros, life)
        words = (b"", *facts)
        return (lambda: words) if clock is None else (lambda: (clock.wall(), *facts))

    async def close(self) -> None:
        self._liveness.close()
        self._news.close()
        if self._archive is not None:
            await self._archive.close()
        if self._base is not None:
            await self._base.server.close()

    def _forked(self) -> None:
        """Connections are the parent's: the child makes its own."""
        self._news.forget()
        self._submits.forget()
        self._telling.forget()
        if self._archive is not None:
            self._archive.forget()
        if self._base is not None:
            self._base.server.forget()

    def warnings(self) -> list[str]:
        """What this server may lose, as it was accepted: for `shike doctor`."""
        return [risk.words for risk in self._risks]

    async def _near(self) -> Sequence[Address]:
        """What is told at the home bucket is heard there first."""
        if self._base is None:
            raise StoreError("this store is not open; await store.open() first")
        return await self._base.server.near(self._base.tag(HOME))

    async def _ready(self) -> Base:
        if self._base is None:
            raise StoreError("this store is not open; await store.open() first")
        await self._news.ready()
        return self._base

    # ---------------------------------------------------------------- hints

    def listen(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        return self._news.listen(callback)

    def tell(self, hint: Hint) -> None:
        self._news.tell_here(hint)
        self._telling.tell(hint)

    async def _publish(self, hints: list[Hint]) -> None:
        try:
            base = await self._ready()
            await base.server.command(base.tag(HOME), b"PUBLISH", self._channel, self._news.message(hints))
        except StoreError as error:
            log.debug("%d hints were not published: %s", len(hints), error)

    def is_gone(self, session: str) -> bool:  # provable on this machine alone
        return self._liveness.is_gone(session)

    def is_alive(self, session: str) -> bool:
        return self._liveness.is_held(session)

    # ---------------------------------------------------------------- the write side

    async def open_session(self, new: NewSession) -> Session:
        base = await self._ready()
        return await self._liveness.opening(new, lambda: sessions.open_session(base, self._lives, new))

    async def beat(self, beat: Beat) -> BeatReply:
        return await sessions.beat(await self._ready(), self._lives, beat)

    async def close_session(self, session: str, *, seen_beat: int | None, reason: str) -> bool:
        proof = self.is_gone(session), self.is_alive(session)
        words = await self._ready(), self._lives, session, seen_beat, reason, *proof
        return await self._liveness.closing(session, seen_beat, lambda: sessions.close_session(*words))

    async def free(self, session: str, limit: int) -> Freed:
        base = await self._ready()
        return await self._liveness.freeing(session, lambda: sessions.free(base, session, limit))

    async def divide(self, division: Division) -> list[Bucket]:
        return await sessions.divide(await self._ready(), division)

    async def submit(self, entries: Sequence[Entry], *, repeat: bool = False) -> list[Submitted]:
        check_entries(entries)
        return await self._submits.ask(Submission(entries, repeat))

    async def _submit(self, submissions: list[Submission]) -> list[list[Submitted] | BaseException]:
        return await submit.submit(await self._ready(), submissions)

    async def claim(self, claim: Claim) -> Batch:
        return await claims.claim(await self._ready(), self._turns, self._lives, claim)

    async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        return await settle.settle(await self._ready(), session, acks)

    async def move(self, moves: Sequence[Move]) -> list[Answer]:
        return await settle.move(await self._ready(), moves)

    async def plan(self, plan: Plan) -> bool:
        return await schedules.plan(await self._ready(), plan)

    async def put_schedule(self, schedule: Schedule, *, expect: int | None, plan_at: int) -> Planned:
        return await schedules.put_schedule(await self._ready(), schedule, expect, plan_at)

    async def control_schedule(
        self,
        name: str,
        *,
        paused: bool | None = None,
        reason: str = "",
        resume_at: int = 0,
        delete: bool = False,
    ) -> Planned:
        return await schedules.control_schedule(await self._ready(), name, paused, reason, resume_at, delete)

    async def put(self, key: str, value: bytes | None, *, expect: int | None) -> Control | None:
        return await keeping.put(await self._ready(), key, value, expect)

    async def purge(self, keep: Retention) -> int:
        count = await keeping.purge(await self._ready(), keep)
        return count if self._archive is None else max(count, await self._archive.purge(keep))

    async def drop_dead(self, run_ids: Sequence[int]) -> int:
        return await keeping.drop_dead(await self._ready(), run_ids)

    # ---------------------------------------------------------------- the read side

    async def now(self) -> int:
        return await sessions.now(await self._ready())

    async def live(self, run_id: int) -> Live | None:
        found = await reads.find(await self._ready(), run_id)
        return found if isinstance(found, Live) else None

    async def ended(self, run_id: int) -> Ended | None:
        found = await self.find(run_id)
        return found if isinstance(found, Ended) else None

    async def outcomes(self, run_ids: Sequence[int]) -> dict[int, Ended]:
        rows = await reads.look(await self._ready(), run_ids) if run_ids else []
        found = {one.run.id: one for one in rows if isinstance(one, Ended)}
        gone = [run_id for run_id, one in zip(run_ids, rows, strict=True) if one is None]
        return found | await self._archive.outcomes(gone) if gone and self._archive is not None else found

    async def find(self, run_id: int) -> Live | Ended | None:
        found = await reads.find(await self._ready(), run_id)
        return await self._archive.find(run_id) if found is None and self._archive is not None else found

    async def runs(self, wanted: RunFilter) -> list[Live | Ended]:
        found = await reads.runs(await self._ready(), wanted)
        if self._archive is None or not (not wanted.states or TERMINAL.intersection(wanted.states)):
            return found
        return await self._archive.with_older(found, wanted)

    async def due(self, low: int, high: int, after: int, until: int, limit: int) -> list[tuple[int, str]]:
        base = await self._ready()
        return await reads.due(base, self._within(low, high), after, until, limit)

    async def gated(self, low: int, high: int, after: int, until: int, limit: int) -> list[Gated]:
        base = await self._ready()
        return await reads.gated(base, self._within(low, high), after, until, limit)

    def _within(self, low: int, high: int) -> range:
        return range(max(low, 0), min(high, self.virtual_buckets - 1) + 1)

    async def holders(self, gate: str) -> list[int]:
        return await reads.holders(await self._ready(), gate)

    async def gate_waiters(self, gate: str, limit: int) -> list[Gated]:
        return await reads.gate_waiters(await self._ready(), gate, limit)

    async def schedule(self, name: str) -> Planned | None:
        return await schedules.schedule(await self._ready(), name)

    async def schedules(self) -> list[Planned]:
        return await schedules.schedules(await self._ready())

    async def versions(self, name: str) -> list[ScheduleVersion]:
        return await schedules.versions(await self._ready(), name)

    async def to_plan(self, low: int, high: int, until: int, limit: int) -> list[Planned]:
        return await schedules.to_plan(await self._ready(), self._within(low, high), until, limit)

    async def timetable(self, schedule: str, start: int, end: int) -> list[TimetableRow]:
        return await schedules.timetable(await self._ready(), schedule, start, end)

    async def sessions(self, *, all: bool = False, limit: int = SESSIONS_LISTED) -> list[Session]:
        return await sessions.sessions(await self._ready(), all, limit)

    async def left_over(self) -> list[Session]:
        return await sessions.left_over(await self._ready())

    async def held(self, session: str) -> int:
        return await sessions.held(await self._ready(), session)

    async def buckets(self) -> list[Bucket]:
        return await sessions.buckets(await self._ready())

    async def dead(self, limit: int, before: int = 0, task: str = "") -> list[Ended]:
        return await reads.dead(await self._ready(), limit, before, task)

    async def unsuccessful(self, since: int, behind: int, limit: int) -> list[Ended]:
        return await reads.unsuccessful(await self._ready(), since, behind, limit)

    async def controls(self, prefix: str) -> list[Control]:
        return await keeping.controls(await self._ready(), prefix)

    async def counts(self) -> Counts:
        return await reads.counts(await self._ready())

    # ---------------------------------------------------------------- to be moved, exported, imported into

    @asynccontextmanager
    async def snapshot(self, *, still: bool = False) -> AsyncIterator[portable.Snapshot]:
        """Of what does not stand still a copy is made in the server: it is as large as all that is not over yet, and
        the server serves nobody else while it is made."""
        base = await self._ready()
        async with AsyncExitStack() as stack:
            older = None
            if self._archive is None:
                await archive.refuse_half(base)
            else:
                older = await stack.enter_async_context((await self._archive.store()).snapshot())
            read = base if still else await stack.enter_async_context(copied(base, SystemEntropy().token_hex(4)))
            yield portable.Snapshot(read, base, older)

    async def load(self, kind: Kind, records: Sequence[Record]) -> None:
        await loading.load(await self._ready(), kind, records)

    async def restrict(self, marker: Marker | None) -> None:
        await portable.restrict(await self._ready(), marker)

    async def marker(self) -> Marker | None:
        return await portable.read_marker(await self._ready())

    # ---------------------------------------------------------------- the archive

    @property
    def archives(self) -> bool:
        return self._archive is not None

    async def carry(self, low: int, high: int, limit: int) -> int:
        base = await self._ready()
        return 0 if self._archive is None else await self._archive.carry(base, self._within(low, high), limit)

    async def carried(self) -> Carried:
        base = await self._ready()
        if self._archive is None:
            raise BadInput("this store has no archive; name one with history_url")
        return await self._archive.look(base)


async def _nothing_before(life: str) -> int:
    """A store without an archive begins its numbers at 1."""
    return 0

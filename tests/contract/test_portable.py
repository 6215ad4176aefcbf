"""Any world, carried to a store of another kind, goes on there as if nothing had happened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from shike.clock import SystemClock
from shike.errors import BadInput, StillRunning, StoreFrozen, StoreMoved
from shike.ids import SystemEntropy
from shike.model import OnUnknown, Options, State
from shike.store.base import RunFilter
from shike.store.guards import Below
from shike.store.memory import MemoryStore
from shike.store.portable import MARKER_KEY, Marker, Phase, Portable
from shike.store.records import Kind
from shike.store.verbs import Answer, NewSession
from shike.store.verbs import Move as MoveRun
from shike.transfer.archive import Archive
from shike.transfer.copying import differences, marks, portable, tallied
from shike.transfer.files import export_store, import_store
from shike.transfer.moving import Move
from tests.contract.stores import STORES, Maker, demand
from tests.contract.test_machine import GATES, NAMES, PHASES, WIDE, Words, shrink_for_seconds
from tests.contract.twins import FOR_EVER
from tests.contract.world import World, decided

__all__ = ["shrink_for_seconds"]

PORTABLE = tuple(STORES)
MOVES_MAX = 2


class Same(SystemEntropy):
    """Names each move alike, so that twins tell the same of it."""

    def token_hex(self, count: int) -> str:
        return "07" * count


def the_move(source: Portable, target: Portable, **words: object) -> Move:
    words = {"audited": False} | words
    return Move(source, target, SystemClock(), Same(), "from", "to", **words)  # type: ignore[arg-type]


class Movers(Words):
    """Random verbs, and now and then both stores are left for new ones, each filled from the other."""

    moves = 0

    @rule()
    @precondition(lambda self: len(self.ids) > 3 and self.moves < MOVES_MAX)
    def move_house(self) -> None:
        self.moves += 1
        for session in self.sessions:
            self.twins.ask("close_session", session, seen_beat=None, reason="moves")
            self.twins.ask("free", session, 1000)
        assert self.twins.ask("counts").running == 0
        for run_id in self.ids:  # workers' own lanes belong to sessions, which stay behind
            found = self.twins.ask("live", run_id)
            if found is not None and found.state is State.ASSIGNED:
                self.twins.ask("move", [MoveRun(run_id=run_id, version=0, to=State.SCHEDULED)])
        before = self.seen()
        old = self.twins.stores
        new = [self.empty(kind) for kind in self.kinds]
        for source, target in zip(old, reversed(new), strict=True):
            self.twins._loop.run_until_complete(the_move(source, target).run())  # type: ignore[arg-type]
        self.settle_in(list(old), new)
        assert self.seen() == before
        self.open_session()

    def empty(self, kind: str) -> Portable:
        folder = Path(self.twins._folder.name) / str(self.moves)
        folder.mkdir(exist_ok=True)
        store = STORES[kind](folder, self.twins.clock, virtual_buckets=WIDE)
        self.twins._loop.run_until_complete(store.open())
        return store  # type: ignore[return-value]

    def settle_in(self, old: Sequence[Portable], new: Sequence[Portable]) -> None:
        for store in old:
            self.twins._loop.run_until_complete(store.close())
        for store in new:
            store.is_alive = lambda session: session not in self.twins.dead  # type: ignore[method-assign]
        self.twins.stores = list(new)
        model = new[0]
        assert isinstance(model, MemoryStore)
        self.twins.tables = model._tables
        if len(new) > 1:
            model._tables.token = self.twins._loop.run_until_complete(tokens(new[1]))
        self.sessions, self.granted, self.claims, self.beats = [], [], {}, {}
        self.twins.dead.clear()

    def seen(self) -> list[object]:
        """All that reads tell, but of sessions."""
        ask = self.twins.ask
        found: list[object] = [ask("find", run_id) for run_id in self.ids]
        found += [ask("attempts", run_id) for run_id in self.ids]
        found += [ask("holders", gate) for gate in GATES] + [ask("gate_waiters", gate, 1000) for gate in GATES]
        found += [ask("timetable", name, 0, FOR_EVER) for name in NAMES] + [ask("versions", name) for name in NAMES]
        found += [ask(verb) for verb in ("schedules", "counts")]
        found += [[(one.low, one.high, one.epoch) for one in ask("buckets")]]
        found += [[row for row in ask("controls", "") if row.key != MARKER_KEY]]
        found += [ask("dead", 1000), ask("runs", RunFilter(limit=1000)), ask("to_plan", 0, WIDE - 1, FOR_EVER, 1000)]
        found += [ask(verb, 0, WIDE - 1, -1, FOR_EVER, 1000) for verb in ("due", "gated")]
        return found


async def tokens(store: Portable) -> int:
    async with store.snapshot() as reader:
        (marks,) = await reader.read(Kind.MARKS, (), 1)
    return marks.tokens  # type: ignore[union-attr]


def play(*kinds: str) -> None:
    for kind in kinds:
        demand(kind)
    run_state_machine_as_test(
        type("Movers", (Movers,), {"kinds": kinds}),
        settings=settings(
            max_examples=max(settings().max_examples // 2, 5),
            stateful_step_count=40,
            deadline=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("kind", sorted(set(PORTABLE) - {"memory", "redis-cluster"}))
def test_a_moved_world_goes_on_as_if_nothing_had_happened(kind: str) -> None:
    play("memory", kind)


# -------------------------------------------------------------------- step by step


@pytest.fixture(params=PORTABLE)
def make_store(request: pytest.FixtureRequest) -> Maker:
    return STORES[request.param]


def marker(phase: Phase) -> Marker:
    return Marker(phase=phase, id="1", peer="sqlite:///new.db")


async def other(world: World, **options: Any) -> Portable:
    """An empty store of the same kind."""
    folder = world.folder / "other"
    folder.mkdir(exist_ok=True)
    store = world.make(folder, world.clock, **options)
    await store.open()
    return portable(store)


async def test_while_it_drains_no_claim_is_granted_and_everything_else_goes_on(world: World) -> None:
    store = portable(world.store)
    await world.session()
    claimed = await world.started()
    await store.restrict(marker(Phase.DRAINING))
    await world.add()
    with pytest.raises(StoreFrozen, match="being moved to sqlite:///new"):
        await world.claim()
    await world.beat(received=1, holds=(claimed.token,))
    assert await world.settle(claimed, State.FAILED) is Answer.ACCEPTED
    await store.restrict(None)
    assert len((await world.claim()).runs) == 2


async def test_a_sealed_store_takes_nothing_but_beats(world: World) -> None:
    store = portable(world.store)
    await world.session()
    schedule = await world.schedule()
    run_id = await world.add()
    await store.restrict(marker(Phase.SEALED))
    before = await tallied(store, Kind)
    await world.beat()
    for write in (
        lambda: world.add(),
        lambda: world.claim(),
        lambda: world.session("late"),
        lambda: world.move(run_id, State.CANCELLED),
        lambda: world.schedule("daily/other"),
        lambda: world.plan(schedule, world.moment(schedule, 5)),
        lambda: world.store.put("queue/default", b"paused", expect=None),
        lambda: world.own("worker"),
        lambda: world.store.control_schedule(schedule.name, paused=True),
    ):
        with pytest.raises(StoreFrozen):
            await write()
    assert await world.purge(session_seconds=0, receipt_seconds=0) == 0
    assert not differences(before, await tallied(store, Kind))


async def test_a_moved_store_says_where_to_for_ever(world: World) -> None:
    store = portable(world.store)
    await world.session()
    await store.restrict(marker(Phase.MOVED))
    for write in (world.add, world.beat, lambda: world.session("late")):
        with pytest.raises(StoreMoved, match="moved to sqlite:///new") as caught:
            await write()
        assert caught.value.to == "sqlite:///new.db"


async def test_what_runs_is_waited_for_and_named_when_the_grace_is_over(world: World) -> None:
    await world.session()
    claimed = await world.started()
    target = await other(world)
    with pytest.raises(StillRunning, match=f"still run 1: {claimed.run.id}") as caught:
        await the_move(portable(world.store), target, grace_seconds=0).run()
    assert caught.value.count == 1
    assert await world.settle(claimed, State.SUCCESS) is Answer.ACCEPTED
    await the_move(portable(world.store), target, grace_seconds=0).run()
    assert (await target.find(claimed.run.id)) == await world.store.find(claimed.run.id)
    await target.close()


async def test_what_still_runs_is_taken_away_where_that_is_wanted(world: World) -> None:
    await world.session()
    claimed = await world.started()
    target = await other(world)
    await the_move(portable(world.store), target, grace_seconds=0, repeat=True).run()
    live = await target.live(claimed.run.id)
    assert live is not None and live.state is State.SCHEDULED
    assert await world.settle(claimed, State.SUCCESS) is not Answer.ACCEPTED
    await target.close()


async def test_numbers_go_on_above_those_that_were_given_away(world: World) -> None:
    await world.session()
    claimed = await world.started()
    session = await world.session("second")
    await world.settle(claimed, State.FAILED)
    target = await other(world)
    await the_move(portable(world.store), target).run()
    await world.store.close()
    world.store = target
    world.numbers.clear()
    world.clock.advance(60)
    assert (await world.session("third")).number > session.number
    assert (await world.take("third")).token > claimed.token


async def test_who_comes_to_a_sealed_store_does_not_hold_up_its_move(world: World) -> None:
    """The server databases give a number away also to a session that is refused then."""

    class Visited(Move):
        async def _rest(self, marker: Marker) -> None:
            await super()._rest(marker)
            with pytest.raises(StoreFrozen):
                await world.session("late")

    await world.session()
    source, target = portable(world.store), await other(world)
    words = source, target, SystemClock(), Same(), "from", "to"
    await Visited(*words, audited=False).run()  # type: ignore[arg-type]
    ours, theirs = await marks(source), await marks(target)
    assert theirs.sessions >= ours.sessions and theirs.tokens >= ours.tokens


async def test_a_run_in_a_workers_own_lane_is_carried_as_one_that_waits_for_a_worker(world: World) -> None:
    await world.session()
    run_id = await world.add(queue="mail>")
    assert await world.move(run_id, State.ASSIGNED, worker="worker", note=decided(2)) is Answer.ACCEPTED
    target = await other(world)
    await the_move(portable(world.store), target).run()
    live = await target.live(run_id)
    assert live is not None and (live.state, live.worker, live.version) == (State.SCHEDULED, "", 2)
    assert [one.lane for one in await target.lanes()] == ["mail>"]  # type: ignore[attr-defined]
    assert [one.error for one in await target.decisions(run_id)] == ["why"]  # type: ignore[attr-defined]
    await target.close()


async def test_what_a_run_is_and_holds_goes_along(world: World) -> None:
    await world.session()
    suspect = await world.started()
    await world.crash()
    holder = await world.add(gate="one", queue="gated")
    waiter = await world.add(gate="one", queue="gated")
    for run_id in (holder, waiter):
        await world.move(run_id, State.SCHEDULED, guards=(Below("one", 1),))
    target = await other(world)
    await the_move(portable(world.store), target).run()
    for run_id in (suspect.run.id, holder, waiter):
        assert await target.find(run_id) == await world.store.find(run_id)
    await world.store.close()
    world.store = target
    world.numbers.clear()
    world.clock.advance(1)
    await world.session("second")
    claimed = await world.take("second", queue="gated")
    assert claimed.run.id == holder and await target.holders("one") == [holder]
    await world.settle(claimed, State.SUCCESS, "second")
    assert await target.holders("one") == [], "its permit is free again"
    assert (await world.take("second")).together == (suspect.together or 2)


async def test_a_store_in_use_is_not_moved_to(world: World) -> None:
    target = await other(world)
    await world.add()
    await the_move(target, portable(world.store)).cancel()
    with pytest.raises(BadInput, match="TO is in use"):
        await the_move(target, portable(world.store)).run()
    assert await target.marker() is None
    await target.close()


async def test_a_move_that_was_given_up_leaves_no_trace_in_from(world: World) -> None:
    store, target = portable(world.store), await other(world)
    await world.session()
    await world.started()
    with pytest.raises(StillRunning):
        await the_move(store, target, grace_seconds=0).run()
    with pytest.raises(StoreFrozen, match="being filled from from"):
        await target.open_session(late())
    assert await the_move(store, target).cancel()
    assert await store.marker() is None
    await world.add()
    await world.take()
    await target.close()


def late() -> NewSession:
    return NewSession(identity="late", name="late", kind="worker", host="h", pid=1, lease_seconds=1.0, protocol=1)


async def test_a_file_holds_all_that_the_store_does(world: World, tmp_path: Path) -> None:
    await world.session()
    await world.started()
    schedule = await world.schedule()
    await world.planned_run(schedule, 5)
    source, target, file = portable(world.store), await other(world), tmp_path / "all.shike"
    _, tallies = await export_store(source, file, identity="7")
    assert await import_store(Archive(file), target) == tallies
    assert not differences(await tallied(source, Kind), await tallied(target, Kind))
    assert await import_store(Archive(file), target) == tallies, "a repeat is harmless"
    await target.close()


@pytest.mark.parametrize(
    ("on_unknown", "reason"), [(OnUnknown.FAIL, "unknown outcome"), (OnUnknown.ASK, "unknown outcome: ask")]
)
async def test_a_run_under_way_whose_outcome_nobody_knows_is_imported_as_its_task_says(
    world: World, tmp_path: Path, on_unknown: OnUnknown, reason: str
) -> None:
    await world.session()
    options = msgspec.json.encode(Options(on_unknown=on_unknown))
    doubtful = await world.started(options=options)
    harmless = await world.started()
    resting = await world.add(options=options)
    target, file = await other(world), tmp_path / "all.shike"
    await export_store(portable(world.store), file, identity="7")
    await import_store(Archive(file), target)
    (letter,) = await target.dead(10)
    assert (letter.run.id, letter.state, letter.reason, letter.attempts) == (doubtful.run.id, State.DEAD, reason, 0)
    assert await target.live(doubtful.run.id) is None
    for run_id in (harmless.run.id, resting):
        live = await target.live(run_id)
        assert live is not None and live.state is State.SCHEDULED
    counts = await target.counts()
    assert (counts.dead, counts.running, counts.eligible) == (1, 0, 2)
    assert (await world.store.counts()).running == 2, "and FROM works on"
    await target.close()


async def test_a_run_under_way_that_somebody_asked_to_stop_is_imported_as_stopped(world: World, tmp_path: Path) -> None:
    await world.session()
    holder = await world.add(gate="one")
    await world.move(holder, State.SCHEDULED, guards=(Below("one", 1),))
    claimed = await world.take()
    await world.move(holder, State.CANCELLED, reason="no need")
    target, file = await other(world), tmp_path / "all.shike"
    await export_store(portable(world.store), file, identity="7")
    await import_store(Archive(file), target)
    ended = await target.ended(claimed.run.id)
    assert ended is not None and (ended.state, ended.reason) == (State.CANCELLED, "no need")
    assert await target.holders("one") == []
    await target.close()


async def test_a_copy_that_is_read_shows_one_instant(world: World) -> None:
    """Whatever happens while pages are read."""
    await world.session()
    first, second = await world.started(), await world.add()
    await world.schedule()
    store = portable(world.store)
    async with store.snapshot() as reader:
        before = {kind: [*await reader.read(kind, (), 1000)] for kind in Kind}
        await world.settle(first, State.SUCCESS)
        await world.move(second, State.CANCELLED)
        await world.add()
        await world.schedule("s/late")
        for kind in Kind:
            assert [*await reader.read(kind, (), 1000)] == before[kind], kind
    async with store.snapshot() as reader:
        assert len(await reader.read(Kind.ENDED, (), 1000)) == 2

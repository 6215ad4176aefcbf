"""Limits on every store: what is decided by the row of a task's memory holds whoever decides (R0.9; decision 24)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from shike import Concurrency, Cooldown, Debounce, FairShare, Rate
from shike.bounds import GATE_LOOK_RUNS
from shike.clock import MICROS
from shike.errors import BadInput
from shike.limit import rows
from shike.limit import shown as operating
from shike.limit import striking as strikes
from shike.limit.declared import Limits, named
from shike.limit.gates import Gate, gate_of, permit_of, read, shard_of
from shike.limit.kind import Limit
from shike.limit.rows import Change, declare, declare_none, effective
from shike.model import RECORD_VERSION, Run, State
from shike.scheduler.admission import Admission
from shike.store.children import gate_of as graph_gate
from shike.store.guards import Entry
from shike.store.hints import HintKind
from shike.store.verbs import Answer, Move
from shike.track.approval import let_in
from shike.track.settle import with_gate
from tests.contract.graphs import Plan
from tests.contract.world import TASK, World


class Desk:
    """A node's looks at one task, by hand."""

    def __init__(self, world: World, *limits: Limit) -> None:
        self.world = world
        self.limits = Limits(TASK, tuple(named(limits)), (), {})
        self.gates: dict[str, Gate] = {}
        self.node = self.another()

    def another(self) -> Admission:
        return Admission(self.world.store, lambda: self.world.now)

    async def declare(self) -> Desk:
        await self.world.session()
        await declare(self.world.store, [self.limits])
        return self

    async def wait(self, count: int = 1, **values: Any) -> list[int]:
        name = gate_of(TASK, values)
        self.gates[name] = Gate(TASK, values)
        entries, ids = [], []
        for _ in range(count):
            self.world.last_id += 1
            ids.append(self.world.last_id << 8 | self.world.last_id % self.world.store.virtual_buckets)
            entries.append(Entry(Run(RECORD_VERSION, ids[-1], TASK, gate=name), delay_seconds=0.0))
        await self.world.store.submit(entries)
        return ids

    async def look(self, node: Admission | None = None) -> None:
        """Until nothing more is to be done at once."""
        limits = (await effective(self.world.store, TASK))[TASK]
        pools: dict[str, dict[str, Gate]] = {}
        for name, gate in self.gates.items():
            pools.setdefault(rows.pool_of(limits, shard_of(gate.values)), {})[name] = gate
        for pool, gates in pools.items():
            while (await (node or self.node).round(limits, pool, gates)).left:
                pass

    async def promise_only(self) -> Admission:
        """A look of a node that writes down what it decides, and then sleeps before it does it."""
        node = self.another()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(node, "_do", _nothing)
            await self.look(node)
        return node

    async def granted(self) -> list[int]:
        return [claimed.run.id for claimed in (await self.world.claim()).runs]

    async def holders(self, name: str, **values: Any) -> list[int]:
        return await self.world.store.holders(permit_of(TASK, name, values))


async def _nothing(*_: object) -> bool:
    return False


async def test_a_permit_is_held_from_the_lane_to_the_end_through_a_failed_attempt(world: World) -> None:
    desk = await Desk(world, Concurrency(2, by="tenant")).declare()
    acme = await desk.wait(3, tenant="acme")
    await desk.look()
    assert await desk.holders("concurrency:tenant", tenant="acme") == acme[:2]
    first, second = (await world.claim()).runs
    assert await world.settle(first, State.FAILED, delay_seconds=0.0) is Answer.ACCEPTED
    await desk.look()
    assert await desk.holders("concurrency:tenant", tenant="acme") == acme[:2]
    assert await world.settle(second, State.SUCCESS) is Answer.ACCEPTED
    await desk.look()
    assert await desk.holders("concurrency:tenant", tenant="acme") == [first.run.id, acme[2]]
    assert sorted(await desk.granted()) == sorted([first.run.id, acme[2]])


async def test_a_rescued_run_goes_on_holding_its_permit(world: World) -> None:
    desk = await Desk(world, Concurrency(1)).declare()
    first, second = await desk.wait(2)
    await desk.look()
    assert await desk.granted() == [first]
    await world.crash()
    await desk.look()
    assert await desk.holders("concurrency") == [first]
    assert (await world.live(second)).state is State.WAITING
    await world.session("heir")
    (claimed,) = (await world.claim("heir")).runs
    assert claimed.run.id == first
    world.listen()
    assert await world.settle(claimed, State.SUCCESS, session="heir") is Answer.ACCEPTED
    assert (await world.hint(HintKind.FREED)).name == permit_of(TASK, "concurrency", {})
    await desk.look()
    assert await desk.holders("concurrency") == [second]


async def test_what_a_node_promised_and_did_not_do_counts_and_is_done_by_another(world: World) -> None:
    desk = await Desk(world, Concurrency(1)).declare()
    first, second = await desk.wait(2)
    await desk.promise_only()
    assert await desk.holders("concurrency") == []
    await desk.look(desk.another())
    assert await desk.holders("concurrency") == [first]
    assert (await world.live(second)).state is State.WAITING


async def test_who_was_promised_and_put_off_since_keeps_nobody_else_waiting(world: World) -> None:
    """R0.9, R2.5: else one that a person moved to next week would hold its permit until then."""
    desk = await Desk(world, Concurrency(1)).declare()
    first, second = await desk.wait(2)
    await desk.promise_only()
    assert await world.move(first, State.WAITING, run_at=world.after(7 * 86_400)) is Answer.ACCEPTED
    await desk.look(desk.another())
    assert await desk.holders("concurrency") == [second]


async def test_who_slept_over_a_promise_that_was_taken_back_does_not_keep_it(world: World) -> None:
    """R0.9: the run's moment comes, and the node that sleeps still remembers that it was promised its permit."""
    desk = await Desk(world, Concurrency(1)).declare()
    first, second = await desk.wait(2)
    sleeper = await desk.promise_only()
    assert await world.move(first, State.WAITING, run_at=world.after(60)) is Answer.ACCEPTED
    await desk.look(desk.another())
    world.clock.advance(61)
    await desk.look(sleeper)
    assert await desk.holders("concurrency") == [second]
    assert (await world.live(first)).state is State.WAITING


async def test_a_promise_is_kept_though_its_run_stands_behind_many_now(world: World) -> None:
    """R0.9, R2.5: it is behind more than one look reads, and they all wait for its permit."""
    desk = await Desk(world, Concurrency(1)).declare()
    first, *_ = await desk.wait(GATE_LOOK_RUNS + 5)
    await desk.promise_only()
    world.clock.advance(5)
    assert await world.move(first, State.WAITING, run_at=world.now) is Answer.ACCEPTED
    await desk.look(desk.another())
    assert await desk.holders("concurrency") == [first]


async def test_of_two_nodes_that_decide_at_once_one_reads_again(world: World) -> None:
    desk = await Desk(world, Concurrency(2), Rate("1/h", burst=3)).declare()
    await desk.wait(6)
    nodes = [desk.another() for _ in range(3)]
    await asyncio.gather(*[desk.look(node) for node in nodes])
    assert len(await desk.holders("concurrency")) == 2
    kept, _ = await rows.kept(world.store, TASK)
    (memory,) = kept.memory.values()
    assert memory == world.now + 2 * 3600 * MICROS  # two tokens were taken, not more


async def test_a_node_that_knows_an_old_memory_is_refused_and_reads_again(world: World) -> None:
    desk = await Desk(world, Rate("1/h", burst=2)).declare()
    old = desk.another()
    await desk.wait(1)
    await desk.look(old)
    await desk.wait(1)
    await desk.look(desk.another())
    late = await desk.wait(1)
    await desk.look(old)
    assert (await world.live(late[0])).state is State.WAITING


async def test_a_cap_holds_over_all_virtual_buckets(world: World) -> None:
    if world.store.url.startswith("memory"):
        await world.reopen("many", virtual_buckets=64)
    desk = await Desk(world, Concurrency(3)).declare()
    await desk.wait(70)
    await asyncio.gather(*[desk.look(desk.another()) for _ in range(2)])
    assert len(await desk.holders("concurrency")) == 3
    assert len(await desk.granted()) == 3


async def test_runs_that_were_superseded_end_skipped_and_the_last_goes(world: World) -> None:
    desk = await Desk(world, Debounce("5s", by="doc")).declare()
    first, last = await desk.wait(2, doc="a")
    await desk.look()
    assert (await world.ended(first)).state is State.SKIPPED
    world.clock.advance(6)
    await desk.look()
    assert await desk.granted() == [last]


async def test_of_more_than_one_look_reads_only_the_last_goes(world: World) -> None:
    """R0.9: as after an hour in which no node was there."""
    desk = await Desk(world, Debounce("5s", by="doc")).declare()
    *_, last = await desk.wait(2 * GATE_LOOK_RUNS + 20, doc="a")
    world.clock.advance(60)
    await desk.look()
    await world.session("late")
    assert [claimed.run.id for claimed in (await world.claim("late")).runs] == [last]


async def test_a_rest_is_counted_from_the_end(world: World) -> None:
    desk = await Desk(world, Cooldown("5s", by="user")).declare()
    first, second = await desk.wait(2, user="ann")
    await desk.look()
    (claimed,) = (await world.claim()).runs
    assert claimed.run.id == first
    await world.settle(claimed, State.SUCCESS)
    await desk.look()
    assert (await world.live(second)).state is State.WAITING
    world.clock.advance(6)
    await desk.look()
    assert await desk.granted() == [second]


async def test_shares_take_turns(world: World) -> None:
    desk = await Desk(world, FairShare(2, by="tenant")).declare()
    flood = await desk.wait(20, tenant="flood")
    small = await desk.wait(1, tenant="small")
    await desk.look()
    assert sorted(await desk.granted()) == sorted([flood[0], small[0]])


async def test_a_change_holds_for_every_node_until_it_is_reset(world: World) -> None:
    desk = await Desk(world, Concurrency(1)).declare()
    await desk.wait(5)
    await desk.look()
    await operating.set_limit(world.store, TASK, "concurrency", {"cap": 3}, "ann")
    await desk.look()
    assert len(await desk.holders("concurrency")) == 3
    (key,) = await operating.keys(world.store, TASK)
    assert (key.cap, key.taken, key.waiting) == (3, 3, 2)
    await declare(world.store, [desk.limits])  # a program that starts again does not undo it
    assert (await effective(world.store, TASK))[TASK].changes == {"concurrency": Change({"cap": 3}, "ann", world.now)}
    await operating.reset(world.store, TASK, "concurrency")
    (fact,) = await operating.listing(world.store)
    assert fact.numbers == {"cap": 1}


async def test_two_who_change_limits_of_one_task_at_once_both_have_their_way(world: World) -> None:
    await Desk(world, Concurrency(1), Rate("1/s")).declare()
    await asyncio.gather(
        operating.set_limit(world.store, TASK, "concurrency", {"cap": 7}),
        operating.set_limit(world.store, TASK, "rate", {"rate": "9/s"}),
    )
    assert {fact.name: fact.words for fact in await operating.listing(world.store)} == {
        "concurrency": "7 at once",
        "rate": "9 in 1s",
    }


@pytest.mark.parametrize("tenant", ["acme", "Acme", "acme ", "时刻", 'a"b\\', "\u0000", 5, True, "x" * 200])
async def test_keys_are_told_apart_to_the_byte(world: World, tenant: Any) -> None:
    desk = await Desk(world, Concurrency(1, by="tenant")).declare()
    (other,) = await desk.wait(1, tenant="zeta")
    (mine,) = await desk.wait(1, tenant=tenant)
    near = await desk.wait(1, tenant=f"{tenant}.")
    await desk.look()
    assert await desk.holders("concurrency:tenant", tenant=tenant) == [mine]
    assert sorted(await desk.granted()) == sorted([mine, other, *near])
    found = read((await world.live(mine)).run.gate)
    assert found is not None and found.values == {"tenant": tenant}


async def test_cancelling_a_waiting_run_takes_no_permit_along(world: World) -> None:
    desk = await Desk(world, Concurrency(1)).declare()
    first, second = await desk.wait(2)
    await desk.look()
    await world.store.move([Move(run_id=second, version=0, to=State.CANCELLED, reason="no")])
    await desk.look()
    assert await desk.holders("concurrency") == [first]
    await world.store.move([Move(run_id=first, version=0, to=State.CANCELLED, reason="no")])
    assert await desk.holders("concurrency") == []


async def test_what_was_set_and_does_not_fit_the_code_any_more_is_left_out(world: World) -> None:
    """R0.9: nobody waits for ever where a newer program asks more of a run than an operator allowed."""
    await Desk(world, Rate("10/s", burst=5), Concurrency(2)).declare()
    await operating.set_limit(world.store, TASK, "rate", {"burst": 2})
    await operating.set_limit(world.store, TASK, "concurrency", {"cap": 3})
    desk = await Desk(world, Rate("10/s", burst=5, cost=3), Concurrency(2)).declare()
    facts = {fact.name: fact for fact in await operating.listing(world.store)}
    assert (facts["rate"].numbers["burst"], facts["rate"].declared) == (5, {})
    assert facts["concurrency"].numbers["cap"] == 3
    (first, _) = await desk.wait(2)
    await desk.look()
    assert await desk.granted() == [first]
    await operating.reset(world.store, TASK, "rate")
    await operating.set_limit(world.store, TASK, "rate", {"burst": 9})
    assert (await operating.reset(world.store, TASK, "concurrency")).numbers["cap"] == 2


async def test_runs_whose_limits_nobody_told_go_where_a_program_has_the_task_without_limits(world: World) -> None:
    """R0.9: killed before it told them, and started again without them. What was told once is not taken back so."""
    await world.session()
    desk = Desk(world, Concurrency(1))
    waiting = await desk.wait(3, tenant="acme")
    await declare_none(world.store, {"another"})
    assert await effective(world.store, TASK) == {}
    await declare_none(world.store, {TASK})
    await desk.look()
    assert await desk.granted() == waiting
    await desk.declare()
    await desk.wait(1, tenant="acme")
    await declare_none(world.store, {TASK})
    assert [fact.words for fact in await operating.listing(world.store, TASK)] == ["1 at once"]


async def test_what_holds_is_read_without_what_is_remembered(world: World) -> None:
    """R0.9: memories are many and large; the limits of a task are looked up every few seconds."""
    desk = await Desk(world, Rate("1/h", by="tenant", burst=5)).declare()
    for tenant in range(5):
        await desk.wait(1, tenant=tenant)
    await desk.look()
    read_: list[str] = []
    controls = world.store.controls

    async def told(prefix: str) -> Any:
        rows_ = await controls(prefix)
        read_.extend(row.key for row in rows_)
        return rows_

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.store, "controls", told)
        assert TASK in await effective(world.store, TASK)
    assert read_ == [f"{rows.DECLARED}{TASK}"]


@pytest.mark.parametrize("who", [None, 5, "x" * 201])
async def test_who_says_so_is_a_text(world: World, who: Any) -> None:
    """Else what was set could not be read again, and would not hold though nobody was told."""
    await Desk(world, Concurrency(2)).declare()
    with pytest.raises(BadInput, match="who="):
        await operating.set_limit(world.store, TASK, "concurrency", {"cap": 3}, who)
    with pytest.raises(BadInput, match="who="):
        await strikes.add(world.store, f"task={TASK}", "because", who=who)


async def test_what_a_newer_program_declares_is_refused_in_words(world: World) -> None:
    await world.session()
    row = rows.Declared("leaky", "leaky", (), {})
    await world.store.put(f"{rows.DECLARED}{TASK}", msgspec.json.encode([row]), expect=None)
    with pytest.raises(Exception, match="no limit 'leaky'"):
        await operating.listing(world.store)


class Waiting(Plan):
    """A graph whose runs have limits."""

    async def of(self, desk: Desk, **values: Any) -> dict[str, int]:
        name = gate_of(TASK, values)
        desk.gates[name] = Gate(TASK, values)
        runs = self.runs(desk.world)
        await desk.world.submit(
            *[run if run.ties.approval_seconds else replace(run, gate=name) for run in runs.values()]
        )
        return {name: run.id for name, run in runs.items()}


async def test_a_child_asks_for_its_limits_from_the_step_on_that_ends_its_parent(world: World) -> None:
    """R0.9, R2.14: before that nobody gives it a permit, and after it nobody gives it a slot without one."""
    desk = await Desk(world, Concurrency(1)).declare()
    ids = await Waiting().add("a").add("b", "a").add("c", "a").of(desk)
    await desk.look()
    assert await desk.holders("concurrency") == [ids["a"]]
    parent = await world.take()
    world.clock.advance(5)
    world.listen()
    assert await world.settle(parent, State.SUCCESS) is Answer.ACCEPTED
    assert (await world.hint(HintKind.GATED)).name == gate_of(TASK, {})
    for child in "bc":
        live = await world.live(ids[child])
        assert (live.state, live.run_at) == (State.WAITING, world.now)
    assert await desk.granted() == []
    await desk.look()
    assert await desk.granted() == [ids["b"]]
    assert await desk.holders("concurrency") == [ids["b"]]


async def test_a_child_that_waits_for_its_parents_takes_no_place_among_those_that_ask(world: World) -> None:
    desk = await Desk(world, Concurrency(1), Debounce("5s", by="doc")).declare()
    ids = await Waiting().add("a").add("b", "a").of(desk, doc="x")
    world.clock.advance(6)
    await desk.look()
    assert (await world.live(ids["b"])).state is State.WAITING
    assert await desk.granted() == [ids["a"]]


async def test_a_child_that_is_superseded_ends_its_own_children(world: World) -> None:
    desk = await Desk(world, Debounce("5s", by="doc")).declare()
    name = gate_of(TASK, {"doc": "x"})
    plan = Plan().add("a").add("b", "a").add("c", "b")
    runs = plan.runs(world)
    await world.submit(*[replace(run, gate=name) if key == "b" else run for key, run in runs.items()])
    await world.settle(await world.take(), State.SUCCESS)
    (later,) = await desk.wait(1, doc="x")
    world.clock.advance(6)
    await desk.look()
    assert (await world.ended(runs["b"].id)).state is State.SKIPPED
    assert (await world.ended(runs["c"].id)).state is State.SKIPPED
    assert await desk.granted() == [later]


async def test_what_was_approved_goes_before_its_limits(world: World) -> None:
    desk = await Desk(world, Concurrency(1)).declare()
    (first,) = await desk.wait(1)
    await desk.look()
    ids = await Waiting().add("b", approval=60.0).of(desk)
    live = await world.live(ids["b"])
    approved = replace(live.run, options=with_gate(live.run.options, gate_of(TASK, {})))
    assert await world.store.move([let_in(approved, live.version, world.now)]) == [Answer.ACCEPTED]
    live = await world.live(ids["b"])
    assert (live.state, live.run.gate, live.run_at) == (State.WAITING, gate_of(TASK, {}), world.now)
    assert await world.store.gate_waiters(graph_gate(ids["b"]), 10) == []
    await desk.look()
    await world.settle(await world.take(), State.SUCCESS)
    await desk.look()
    assert await desk.holders("concurrency") == await desk.granted() == [ids["b"]] != [first]


async def test_a_run_that_waits_for_its_parents_cannot_be_put_before_another_gate(world: World) -> None:
    desk = await Desk(world, Concurrency(1)).declare()
    ids = await Plan().add("a").add("b", "a").submit(world)
    live = await world.live(ids["b"])
    gated = replace(live.run, gate=gate_of(TASK, {}))
    assert await world.move(ids["b"], State.WAITING, version=live.version, run=gated) is Answer.GUARDED
    await desk.look()
    assert (await world.live(ids["b"])).run.gate == graph_gate(ids["a"])


async def test_a_run_in_a_lane_is_put_before_a_gate(world: World) -> None:
    """Of one who did not know that its task has limits."""
    desk = await Desk(world, Concurrency(1)).declare()
    (other,) = await desk.wait(1)
    await desk.look()
    stray = await world.add(task=TASK)
    live = await world.live(stray)
    world.listen()
    gated = replace(live.run, gate=gate_of(TASK, {}))
    assert await world.move(stray, State.WAITING, version=live.version + 1, run=gated) is Answer.REFUSED
    assert await world.move(stray, State.WAITING, version=live.version, run=gated) is Answer.ACCEPTED
    assert (await world.hint(HintKind.GATED)).name == gated.gate
    live = await world.live(stray)
    assert (live.state, live.run) == (State.WAITING, gated)
    assert [one.run_id for one in await world.store.gate_waiters(gated.gate, 10)] == [stray]
    first = await world.take()
    assert first.run.id == other
    assert await desk.granted() == []
    await world.settle(first, State.SUCCESS)
    await desk.look()
    assert await desk.holders("concurrency") == [stray]
    assert await desk.granted() == [stray]

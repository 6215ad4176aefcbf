"""Runs that depend on others: freed, or ended, in the very step that ends their parents (R2.14)."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from shike.errors import TooLarge
from shike.graph import carrying
from shike.model import TERMINAL, Ended, OnParent, State
from shike.store.base import RunFilter
from shike.store.children import UNTIL_FREED, gate_of
from shike.store.guards import Absent, Choose, Entry
from shike.store.hints import HintKind
from shike.store.verbs import Answer, Claimed
from tests.contract.graphs import Plan, fates
from tests.contract.world import World, ack


async def state_of(world: World, run_id: int) -> State:
    known = await world.store.find(run_id)
    assert known is not None
    return known.state


async def test_a_child_is_freed_by_the_step_that_ends_its_parent(world: World) -> None:
    await world.session()
    ids = await Plan().add("a").add("b", "a").submit(world)
    live = await world.live(ids["b"])
    assert (live.state, live.run_at) == (State.WAITING, UNTIL_FREED)
    claimed = await world.take()
    assert claimed.run.id == ids["a"]
    assert await world.granted() == []
    world.clock.advance(5)
    assert await world.settle(claimed, State.SUCCESS) is Answer.ACCEPTED
    live = await world.live(ids["b"])
    assert (live.state, live.run_at) == (State.SCHEDULED, world.now)
    assert await world.granted() == [ids["b"]]


async def test_a_freed_child_is_told_of(world: World) -> None:
    await world.session()
    await Plan().add("a").add("b", "a").submit(world)
    claimed = await world.take()
    world.listen()
    await world.settle(claimed, State.SUCCESS)
    assert (await world.hint(HintKind.DUE)).queue == "default"


async def test_a_child_waits_for_the_last_of_its_parents(world: World) -> None:
    await world.session()
    ids = await Plan().add("a").add("b").add("c").add("d", "a", "b", "c").submit(world)
    granted = (await world.claim()).runs
    for claimed in granted:
        assert await state_of(world, ids["d"]) is State.WAITING
        await world.settle(claimed, State.SUCCESS)
    assert await world.granted() == [ids["d"]]


async def test_parents_that_end_in_one_step_free_a_child_once(world: World) -> None:
    await world.session()
    plan = Plan()
    for name in "abcd":
        plan.add(name)
    ids = await plan.add("e", *"abcd").submit(world)
    granted = (await world.claim()).runs
    answers = await world.store.settle("worker", [ack(claimed, State.SUCCESS) for claimed in granted])
    assert answers == [Answer.ACCEPTED] * 4
    assert await world.granted() == [ids["e"]]
    assert await world.granted() == []


async def test_a_repeated_acknowledgement_frees_nothing_twice(world: World) -> None:
    await world.session()
    ids = await Plan().add("a").add("b").add("c", "a", "b").submit(world)
    first, _ = (await world.claim()).runs
    assert await world.settle(first, State.SUCCESS) is Answer.ACCEPTED
    assert await world.settle(first, State.SUCCESS) is Answer.ALREADY
    assert await world.settle(first, State.SUCCESS) is Answer.ALREADY
    assert await state_of(world, ids["c"]) is State.WAITING


async def test_a_refused_acknowledgement_frees_nothing(world: World) -> None:
    await world.session()
    await world.session("other")
    ids = await Plan().add("a").add("b", "a").submit(world)
    claimed = await world.take()
    assert await world.settle(claimed, State.SUCCESS, session="other") is Answer.REFUSED
    await world.crash()
    assert await world.settle(claimed, State.SUCCESS) is Answer.REFUSED
    assert await state_of(world, ids["b"]) is State.WAITING


async def test_a_parent_that_comes_back_frees_nobody(world: World) -> None:
    await world.session()
    ids = await Plan().add("a").add("b", "a").submit(world)
    await world.settle(await world.take(), State.FAILED)
    assert await state_of(world, ids["b"]) is State.WAITING
    await world.settle(await world.take(), State.SUCCESS)
    assert await state_of(world, ids["b"]) is State.SCHEDULED


@pytest.mark.parametrize(
    ("on", "parent", "child"),
    [
        (OnParent.FAIL, State.DEAD, State.DEAD),
        (OnParent.FAIL, State.CANCELLED, State.DEAD),
        (OnParent.FAIL, State.SKIPPED, State.SKIPPED),
        (OnParent.SKIP, State.DEAD, State.SKIPPED),
        (OnParent.SKIP, State.CANCELLED, State.SKIPPED),
        (OnParent.SKIP, State.SKIPPED, State.SKIPPED),
        (OnParent.CONTINUE, State.DEAD, State.SCHEDULED),
        (OnParent.CONTINUE, State.CANCELLED, State.SCHEDULED),
        (OnParent.CONTINUE, State.SKIPPED, State.SCHEDULED),
    ],
)
async def test_what_becomes_of_a_child_says_its_link(world: World, on: OnParent, parent: State, child: State) -> None:
    await world.session()
    ids = await Plan().add("a").add("b", "a", on=on).submit(world)
    await world.settle(await world.take(), parent)
    known = await world.store.find(ids["b"])
    assert known is not None
    assert known.state is child
    if isinstance(known, Ended):
        assert known.reason == f"parent {ids['a']} (mail) is {parent.name}"
        assert (known.attempts, known.token, known.session, known.ended_at) == (0, 0, "", world.now)
    letters = [letter.run.id for letter in await world.store.dead(10)]
    assert (ids["b"] in letters) is (child is State.DEAD)


async def test_a_failure_goes_through_the_whole_graph_in_one_step(world: World) -> None:
    await world.session()
    plan = Plan().add("a").add("b", "a").add("c", "b", on=OnParent.FAIL).add("d", "c", on=OnParent.CONTINUE)
    ids = await plan.add("e", "b", on=OnParent.CONTINUE).submit(world)
    await world.settle(await world.take(), State.DEAD, reason="boom")
    found = {name: await state_of(world, run_id) for name, run_id in ids.items()}
    assert found == {
        "a": State.DEAD, "b": State.SKIPPED, "c": State.SKIPPED, "d": State.SCHEDULED, "e": State.SCHEDULED,
    }  # fmt: skip


async def test_a_child_that_is_over_is_not_looked_at_again(world: World) -> None:
    await world.session()
    ids = await Plan().add("a").add("b").add("c", "a", "b").submit(world)
    first, second = (await world.claim()).runs
    await world.settle(first, State.DEAD)
    ended = await world.ended(ids["c"])
    await world.settle(second, State.SUCCESS)
    assert await world.ended(ids["c"]) == ended


async def test_branches_that_were_not_chosen_are_skipped_with_the_reason(world: World) -> None:
    await world.session()
    plan = Plan().add("a").add("yes", "a", when="yes").add("no", "a", when="no").add("always", "a")
    ids = await plan.add("join", "yes", "no", on=OnParent.CONTINUE).submit(world)
    await world.settle(await world.take(), State.SUCCESS, effects=(Choose(("yes",)),))
    assert (await world.ended(ids["no"])).reason == f"branch 'no' was not chosen by run {ids['a']} (mail)"
    assert await world.granted() == [ids["yes"], ids["always"]]
    assert await state_of(world, ids["join"]) is State.WAITING


async def test_without_a_choice_no_branch_is_taken(world: World) -> None:
    await world.session()
    ids = await Plan().add("a").add("yes", "a", when="yes").submit(world)
    await world.settle(await world.take(), State.SUCCESS)
    assert await state_of(world, ids["yes"]) is State.SKIPPED


async def test_who_is_cancelled_while_it_waits_takes_its_children_along(world: World) -> None:
    await world.session()
    ids = await Plan().add("a").add("b", "a").add("c", "b").submit(world)
    assert await world.move(ids["b"], State.CANCELLED) is Answer.ACCEPTED
    assert await state_of(world, ids["c"]) is State.SKIPPED
    await world.settle(await world.take(), State.SUCCESS)
    assert await world.granted() == []


async def test_a_run_that_waits_for_others_cannot_be_let_in(world: World) -> None:
    await world.session()
    ids = await Plan().add("a").add("b", "a").submit(world)
    assert await world.move(ids["b"], State.SCHEDULED, run_at=world.now) is Answer.GUARDED
    await world.settle(await world.take(), State.SUCCESS)
    assert await world.move(ids["b"], State.SCHEDULED, run_at=world.after(5)) is Answer.ACCEPTED


async def test_a_dead_process_frees_the_children_of_what_cannot_be_repeated(world: World) -> None:
    await world.session()
    ids = await Plan().add("a").add("b", "a", on=OnParent.CONTINUE).submit(world, options=b'{"on_unknown":"fail"}')
    await world.take()
    await world.crash()
    assert await state_of(world, ids["a"]) is State.DEAD
    assert await state_of(world, ids["b"]) is State.SCHEDULED


async def test_a_cancelled_run_that_comes_back_ends_with_its_children(world: World) -> None:
    await world.session()
    ids = await Plan().add("a").add("b", "a").submit(world)
    claimed = await world.take()
    assert await world.move(ids["a"], State.CANCELLED) is Answer.ASKED
    await world.settle(claimed, State.FAILED)
    assert await state_of(world, ids["a"]) is State.CANCELLED
    assert await state_of(world, ids["b"]) is State.SKIPPED


async def test_what_waits_for_approval_waits_once_its_parents_are_over(world: World) -> None:
    await world.session()
    ids = await Plan().add("a").add("b", "a", approval=60.0).submit(world)
    assert await world.move(ids["b"], State.SCHEDULED) is Answer.GUARDED
    await world.settle(await world.take(), State.SUCCESS)
    live = await world.live(ids["b"])
    assert (live.state, live.run_at) == (State.WAITING, world.after(60))
    waiting = await world.store.gate_waiters(gate_of(ids["a"]), 10)
    assert [(gated.run_id, gated.version, gated.run_at) for gated in waiting] == [(ids["b"], live.version, live.run_at)]
    assert await world.move(ids["b"], State.SCHEDULED, version=live.version, run_at=world.now) is Answer.ACCEPTED
    assert await world.move(ids["b"], State.SCHEDULED, version=live.version, run_at=world.now) is Answer.REFUSED
    assert await world.granted() == [ids["b"]]


async def test_a_first_run_may_wait_for_approval(world: World) -> None:
    ids = await Plan().add("a", approval=60.0).submit(world)
    live = await world.live(ids["a"])
    assert (live.state, live.run_at) == (State.WAITING, world.after(60))


async def test_a_child_is_not_freed_before_its_own_time(world: World) -> None:
    await world.session()
    runs = Plan().add("a").add("b", "a").runs(world)
    await world.submit(runs["a"], Entry(runs["b"], delay_seconds=60.0))
    await world.settle(await world.take(), State.SUCCESS)
    live = await world.live(runs["b"].id)
    assert (live.state, live.run_at) == (State.SCHEDULED, world.after(60))


async def test_a_repeated_submission_changes_nothing(world: World) -> None:
    await world.session()
    runs = Plan().add("a").add("b", "a").runs(world)
    await world.submit(*runs.values())
    await world.settle(await world.take(), State.SUCCESS)
    answers = await world.submit(*runs.values(), repeat=True)
    assert [answer.fresh for answer in answers] == [True, True]
    assert await world.granted() == [runs["b"].id]


@pytest.mark.parametrize("size", [3, 450])
async def test_a_run_that_brings_its_whole_graph_with_it_is_stored_once_by_its_keys(world: World, size: int) -> None:
    await world.session()
    plan = Plan().add("0")
    for number in range(1, size):
        plan.add(str(number), "0")
    entry = carrying([Entry(run) for run in plan.runs(world, bucket=0).values()])
    keyed = replace(entry, guards=(Absent("a", 60.0), Absent("b", 60.0)))
    others = [Entry(world.run(bucket=0)) for _ in range(2)]
    first = await world.store.submit([others[0], keyed, others[1]])
    assert [one.fresh for one in first] == [True] * 3
    root = entry.run.id
    again = await world.store.submit([keyed], repeat=True)
    assert (again[0].run_id, again[0].fresh) == (root, True), "the answer was lost: the same words"
    second = replace(carrying([Entry(run) for run in plan.runs(world).values()]), guards=(Absent("b", 60.0),))
    (refused,) = await world.store.submit([second])
    assert (refused.run_id, refused.fresh) == (root, False)
    runs = await world.store.runs(RunFilter(before=root + (size << 8), limit=size))
    assert [one.state for one in reversed(runs)] == [State.SCHEDULED] + [State.WAITING] * (size - 1)
    assert await world.store.find(second.run.id) is None
    assert await world.store.find(second.run.id + 256) is None, "nor what it would have brought"
    claimed = next(one for one in (await world.claim()).runs if one.run.id == root)
    await world.settle(claimed, State.SUCCESS)
    assert len(await world.granted(count=size)) == size - 1


async def test_a_graph_lives_in_one_bucket_among_others(world: World) -> None:
    await world.reopen("wide", virtual_buckets=64)
    await world.session()
    ids = await Plan().add("a").add("b", "a").submit(world, bucket=17)
    await world.settle(await world.take(), State.SUCCESS)
    assert await world.granted() == [ids["b"]]


async def test_a_graph_may_have_more_runs_than_a_batch_but_not_without_end(world: World) -> None:
    runs = [world.run(ties=next(iter(Plan().add("a").runs(world).values())).ties) for _ in range(20_001)]
    with pytest.raises(TooLarge):
        await world.submit(*runs)
    assert await world.store.runs(RunFilter()) == []


async def test_three_thousand_beside_each_other_are_freed_and_waited_for(world: World) -> None:
    await world.session()
    plan = Plan().add("first")
    names = [f"n{number}" for number in range(3_000)]
    for name in names:
        plan.edges[name] = [("first", OnParent.SKIP, "")]
        plan.approvals[name] = 0.0
    ids = await plan.add("last", *names).submit(world)
    await world.settle(await world.take(), State.SUCCESS)
    seen = 0
    while granted := (await world.claim(count=2_000)).runs:
        seen += len(granted)
        for start in range(0, len(granted), 1_000):
            part = granted[start : start + 1_000]
            await world.store.settle("worker", [ack(claimed, State.SUCCESS) for claimed in part])
        if granted[0].run.id == ids["last"]:
            break
    assert seen == 3_001
    assert (await world.ended(ids["last"])).state is State.SUCCESS


@pytest.mark.parametrize("seed", range(12))
async def test_any_graph_goes_as_the_rules_say(world: World, seed: int) -> None:
    """Against rules that are written down a second time, and looked at from the beginning after each end."""
    draw = random.Random(seed)
    await world.session()
    plan = Plan()
    names: list[str] = []
    for number in range(draw.randint(2, 14)):
        name = f"n{number}"
        parents = draw.sample(names, min(len(names), draw.choice((0, 1, 1, 2, 3))))
        plan.edges[name] = [
            (parent, draw.choice(list(OnParent)), draw.choice(("", "", "", "x", "y"))) for parent in parents
        ]
        plan.approvals[name] = 0.0
        names.append(name)
    ids = await plan.submit(world)
    named = {run_id: name for name, run_id in ids.items()}
    ends: list[tuple[str, State, tuple[str, ...]]] = []
    held: list[Claimed] = []
    while True:
        held += (await world.claim(count=draw.randint(1, 4))).runs
        if not held:
            break
        claimed = held.pop(draw.randrange(len(held)))
        state = draw.choice((State.SUCCESS, State.SUCCESS, State.DEAD, State.CANCELLED, State.SKIPPED))
        chosen = tuple(branch for branch in "xy" if draw.random() < 0.5) if state is State.SUCCESS else ()
        effects = (Choose(chosen),) if chosen else ()
        assert await world.settle(claimed, state, effects=effects) is Answer.ACCEPTED
        ends.append((named[claimed.run.id], state, chosen))
        seen = {name: await state_of(world, run_id) for name, run_id in ids.items()}
        seen = {name: State.SCHEDULED if state is State.RUNNING else state for name, state in seen.items()}
        assert seen == fates(plan.edges, ends, seen)
    assert set(seen.values()) <= TERMINAL

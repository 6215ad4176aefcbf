"""Asking for work: never too much, never too little, nobody starves, and suspects run alone."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import BAND_BACKLOG, CRASHES_MAX, QUARANTINE_SECONDS
from shike.errors import BadInput, BadSetting, ChildDied
from shike.model import Executor, State
from shike.store.verbs import Batch, Claim, Move
from shike.worker.claims import QueueShare, divide
from shike.worker.executor import Call
from shike.worker.verdict import Stop
from tests.unit.worker.world import World, run

# ---------------------------------------------------------------- dividing the places

weights = st.floats(0.01, 1000.0)
share = st.builds(lambda limit, weight: (limit, weight), st.integers(0, 20), weights)
some_shares = st.lists(share, min_size=1, max_size=8).map(
    lambda found: {f"q{n}": QueueShare(f"q{n}", limit, weight) for n, (limit, weight) in enumerate(found)}
)
some_busy = st.dictionaries(st.sampled_from([f"q{n}" for n in range(8)]), st.integers(0, 25))


@given(st.integers(0, 2_000), some_shares, some_busy, st.integers(0, 10_000))
def test_all_places_are_dealt_within_the_limits_and_not_one_more(
    free: int, shares: dict[str, QueueShare], busy: dict[str, int], turn: int
) -> None:
    rooms = divide(free, shares, busy, turn)
    open_places = sum(max(one.limit - busy.get(name, 0), 0) if one.limit else free for name, one in shares.items())
    assert sum(rooms.values()) == min(free, open_places)
    assert all(rooms.values()), "a queue without a place is not asked for"
    for name, room in rooms.items():
        assert not shares[name].limit or busy.get(name, 0) + room <= shares[name].limit


@given(st.integers(1, 5), st.lists(weights, min_size=1, max_size=6), st.integers(0, 1_000))
def test_over_many_turns_each_queue_gets_its_weight(free: int, given_weights: list[float], first: int) -> None:
    shares = {f"q{n}": QueueShare(f"q{n}", 0, weight) for n, weight in enumerate(given_weights)}
    turns = 500
    dealt: Counter[str] = Counter()
    for turn in range(first, first + turns):
        dealt.update(divide(free, shares, {}, turn))
    for name, one in shares.items():
        fair = turns * free * one.weight / sum(given_weights)
        assert abs(dealt[name] - fair) <= 0.04 * turns, f"{name} got {dealt[name]} of {fair}"


def test_one_place_goes_round() -> None:
    shares = {name: QueueShare(name) for name in ("a", "b", "c")}
    served = [*divide(1, shares, {}, 0), *divide(1, shares, {}, 1), *divide(1, shares, {}, 2)]
    assert sorted(served) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail", QueueShare("mail")),
        ("mail:10", QueueShare("mail", 10)),
        ("mail:10*3", QueueShare("mail", 10, 3.0)),
        ("mail*0.5", QueueShare("mail", 0, 0.5)),
    ],
)
def test_a_queue_is_written_with_limit_and_weight(text: str, expected: QueueShare) -> None:
    assert QueueShare.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["mail:x", "mail:-1", "mail:0", "mail*0", "mail*-2", "mail*nan", "mail*inf", "mail:1:2"]
)
def test_a_share_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match=re.escape(text)):
        QueueShare.parse(text)


def test_a_queue_needs_a_name() -> None:
    with pytest.raises(BadInput):
        QueueShare.parse(":3")


# ---------------------------------------------------------------- claiming


class Work:
    """Makes handlers that take a while, and counts how many are under way."""

    def __init__(self) -> None:
        self.at_once = 0
        self.most = 0

    def handler(self) -> Any:
        async def work(seconds: float = 1.0) -> None:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            try:
                await asyncio.sleep(seconds)
            finally:
                self.at_once -= 1

        return work


def test_a_worker_claims_no_more_than_its_free_slots() -> None:
    async def story(world: World) -> None:
        work = Work()
        world.task(work.handler())
        await world.worker(slots=3, queues=("a", "b", "c", "d"))
        for queue in "abcd":
            await world.submit("work", 5, queue=queue)
        await asyncio.sleep(0.5)
        assert work.at_once == 3
        counts = await world.store.counts()
        assert counts.running == 3, "what cannot be started stays in the store, for others"

    run(story)


def test_all_slots_are_filled_from_one_queue_when_the_others_are_empty() -> None:
    async def story(world: World) -> None:
        work = Work()
        world.task(work.handler())
        await world.worker(slots=10, queues=("mail*3", "web", "gpu"))
        await world.submit("work", 50, queue="web")
        await asyncio.sleep(0.1)
        assert work.at_once == 10

    run(story)


def test_a_queue_at_its_limit_goes_on_as_soon_as_a_place_is_free() -> None:
    """Not with the next beat: a limit must not become a rate."""

    async def story(world: World) -> None:
        work = Work()
        world.task(work.handler())
        worker, _ = await world.worker(slots=10, queues=("mail", "gpu:1"))
        await world.submit("work", 8, queue="gpu", args=b'{"seconds":0.01}')
        await world.submit("work", 1, queue="mail", args=b'{"seconds":30}')
        began = world.loop.time()
        while (await world.store.counts()).ended.get("SUCCESS", 0) < 8:
            await asyncio.sleep(0.001)
        assert world.loop.time() - began < 0.2
        assert work.most == 2
        await worker.stop(0.0)

    run(story)


def test_a_backlog_leaves_slots_for_new_work_and_costs_no_idle_claims() -> None:
    """P5. And a claim that finds only what is over its share is not repeated without end."""

    async def story(world: World) -> None:
        work = Work()
        world.task(work.handler())
        await world.worker(slots=10)
        await world.submit("work", 50, band=BAND_BACKLOG, args=b'{"seconds":100}')
        await asyncio.sleep(5)
        assert work.at_once == 8
        asked = len(world.store.claims)
        await asyncio.sleep(5)
        assert len(world.store.claims) - asked <= 10, "a look a second, with the beat"
        (fresh,) = await world.submit("work", args=b'{"seconds":0}')
        await asyncio.sleep(0.05)
        assert (await world.ended(fresh)).state is State.SUCCESS

    run(story)


def test_two_queues_share_one_bound_for_their_backlogs() -> None:
    async def story(world: World) -> None:
        work = Work()
        world.task(work.handler())
        await world.worker(slots=10, queues=("a", "b"))
        for queue in "ab":
            await world.submit("work", 50, queue=queue, band=BAND_BACKLOG, args=b'{"seconds":100}')
        await asyncio.sleep(5)
        assert work.at_once == 8

    run(story)


def test_a_worker_with_one_slot_does_catch_up() -> None:
    async def story(world: World) -> None:
        work = Work()
        world.task(work.handler())
        await world.worker(slots=1)
        (late,) = await world.submit("work", band=BAND_BACKLOG)
        await asyncio.sleep(1.5)
        assert (await world.ended(late)).state is State.SUCCESS

    run(story)


def test_a_claim_whose_answer_was_lost_is_repeated_under_its_number() -> None:
    async def story(world: World) -> None:
        work = Work()
        world.task(work.handler())
        worker, _ = await world.worker(slots=2)
        await asyncio.sleep(0.01)
        world.store.deaf = True
        await world.submit("work", 4, args=b'{"seconds":0.2}')
        await asyncio.sleep(0.05)
        world.store.deaf = False
        await asyncio.sleep(0.6)
        numbers = [claim.number for claim in world.store.claims]
        assert numbers.count(1) >= 2 and numbers == sorted(numbers)
        assert (await world.store.counts()).ended == {"SUCCESS": 4}, "and what else is there is asked for at once"
        assert worker.stale == 0

    run(story)


def test_work_that_comes_while_an_empty_answer_is_on_its_way_is_asked_for_at_once() -> None:
    async def story(world: World) -> None:
        world.task(Work().handler())
        answer = world.store.claim

        async def slow_to_tell(claim: Claim) -> Batch:
            batch = await answer(claim)
            await asyncio.sleep(0.3)
            return batch

        world.store.claim = slow_to_tell  # type: ignore[method-assign]
        await world.worker()
        await asyncio.sleep(0.1)
        (run_id,) = await world.submit("work", args=b'{"seconds":0}')
        await asyncio.sleep(0.6)  # less than a beat, which would tell of it as well
        await world.ended(run_id)

    run(story)


def test_a_wake_up_that_came_early_and_found_another_run_is_not_spent() -> None:
    """Two runs a millisecond apart, both told of at the first one's time: nobody tells of the second again."""

    async def story(world: World) -> None:
        world.task(Work().handler())
        await world.worker()
        await asyncio.sleep(0.1)
        await world.submit("work", args=b'{"seconds":0}')
        (second,) = await world.submit("work", args=b'{"seconds":0}', due_at=world.clock.wall() + 1_000)
        await asyncio.sleep(0.1)  # less than a beat, which would tell of it as well
        await world.ended(second)

    run(story)


def test_each_fifteenth_claim_begins_with_a_lower_band() -> None:
    async def story(world: World) -> None:
        world.task(Work().handler())
        await world.worker(slots=1)
        await world.submit("work", 40, args=b'{"seconds":0.01}')
        await asyncio.sleep(1)
        orders = {claim.number: claim.bands for claim in world.store.claims}
        assert [orders[number][0] for number in (14, 15, 16, 30)] == [0, BAND_BACKLOG - 1, 0, BAND_BACKLOG - 2]

    run(story)


# ---------------------------------------------------------------- suspects


class Children:
    """Stands for a pool of child processes: what runs here cannot take the worker along."""

    kind = Executor.PROCESS
    abandoned = 0

    def __init__(self, size: int) -> None:
        self.size = size
        self.at_once = 0
        self.most = 0

    async def run(self, call: Call) -> Any:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            assert call.definition.handler is not None
            return await call.definition.handler(*call.args, **call.kwargs)
        finally:
            self.at_once -= 1

    async def close(self) -> None: ...


def test_without_children_suspects_run_by_halves_and_others_beside_them() -> None:
    """ARCHITECTURE 5.4: a death halves those that may have done it; meanwhile work goes on."""

    async def story(world: World) -> None:
        suspects, beside = Work(), Work()
        world.task(suspects.handler(), name="suspect")
        world.task(beside.handler(), name="normal")
        await world.rescued("suspect", 15, args=b'{"seconds":2.0}')
        await world.worker(slots=20)
        await world.submit("normal", 12, args=b'{"seconds":0.5}')
        await asyncio.sleep(0.4)
        assert (suspects.at_once, beside.at_once) == (8, 12)
        await asyncio.sleep(2.0)
        assert suspects.at_once == 7
        await asyncio.sleep(1.7)
        assert (await world.store.counts()).ended == {"SUCCESS": 27}, "one party after the other, without a pause"

    run(story)


def test_a_party_that_takes_long_does_not_hold_up_the_next_for_ever() -> None:
    async def story(world: World) -> None:
        suspects = Work()
        world.task(suspects.handler(), name="suspect")
        await world.rescued("suspect", 4, args=b'{"seconds":3600}')
        await world.worker(slots=10)
        await asyncio.sleep(QUARANTINE_SECONDS - 1)
        assert suspects.at_once == 2
        await asyncio.sleep(2)
        assert suspects.at_once == 4

    run(story)


async def accused(world: World, task: str, **run: Any) -> int:
    """A run that was rescued, and then the only suspect in a process that died as well."""
    (run_id,) = await world.rescued(task, **run)
    worker, member = await world.worker(slots=4)
    await asyncio.sleep(0.1)
    await world.store.put("queue/default", b"paused", expect=None)
    await world.kill(member)
    worker.slots.stop_all(Stop.LOST)
    live = await world.live(run_id)
    assert (live.suspect, live.together) == (True, 1)
    return run_id


def test_who_is_left_as_the_only_suspect_has_the_process_to_itself() -> None:
    """Else nobody could be blamed, or an innocent would be: what runs is over first, nothing else begins meanwhile."""

    async def story(world: World) -> None:
        suspects, before, after = Work(), Work(), Work()
        for name, work in (("suspect", suspects), ("before", before), ("after", after)):
            world.task(work.handler(), name=name)
        await accused(world, "suspect", args=b'{"seconds":3.0}')
        worker, _ = await world.worker(slots=10, queues=("default", "other"))
        await world.submit("before", 3, args=b'{"seconds":2.0}', queue="other")
        await asyncio.sleep(0.5)
        await world.store.put("queue/default", None, expect=None)
        await asyncio.sleep(1.0)
        await world.submit("after", 3, args=b'{"seconds":1.0}', queue="other")
        await asyncio.sleep(0.4)
        assert (suspects.at_once, before.at_once, after.at_once) == (0, 3, 0), "it waits until it is alone"
        await asyncio.sleep(1.0)
        assert (suspects.at_once, before.at_once, after.at_once) == (1, 0, 0), "and the others wait for it"
        await asyncio.sleep(2.5)
        assert (suspects.at_once, after.at_once) == (0, 3), "no longer than needed"
        await worker.stop()

    run(story)


def test_being_alone_has_an_end() -> None:
    """P5: new work is on time, however long a suspect takes."""

    async def story(world: World) -> None:
        suspects, others = Work(), Work()
        world.task(suspects.handler(), name="suspect")
        world.task(others.handler(), name="other")
        await accused(world, "suspect", args=b'{"seconds":3600}')
        await world.store.put("queue/default", None, expect=None)
        await world.worker(slots=10)
        await asyncio.sleep(0.2)
        assert suspects.at_once == 1
        await world.submit("other", 3, args=b'{"seconds":3600}')
        await asyncio.sleep(QUARANTINE_SECONDS - 1)
        assert others.at_once == 0
        await asyncio.sleep(1)
        assert others.at_once == 3

    run(story)


def test_a_run_that_waits_to_be_alone_can_be_cancelled_and_given_back() -> None:
    async def story(world: World) -> None:
        for name in ("suspect", "before"):
            world.task(Work().handler(), name=name)
        for end in ("cancel", "stop"):
            run_id = await accused(world, "suspect", args=b'{"seconds":3.0}')
            worker, _ = await world.worker(slots=10, queues=("default", "other"))
            await world.submit("before", args=b'{"seconds":8.0}', queue="other")
            await asyncio.sleep(0.5)
            await world.store.put("queue/default", None, expect=None)
            await asyncio.sleep(1.5)
            assert (await world.live(run_id)).state is State.RUNNING, "leased, not begun"
            if end == "cancel":
                await world.store.move([Move(run_id=run_id, version=0, to=State.CANCELLED)])
                await asyncio.sleep(0.5)
                assert (await world.ended(run_id)).state is State.CANCELLED
            await worker.stop(0.0)
            if end == "stop":
                live = await world.live(run_id)
                assert (live.state, live.suspect, live.together) == (State.SCHEDULED, True, 1)

    run(story)


def test_with_children_as_many_suspects_run_at_once_as_there_are_children() -> None:
    async def story(world: World) -> None:
        children = Children(3)
        world.task(Work().handler(), name="suspect")
        await world.rescued("suspect", 7, args=b'{"seconds":1.0}')
        await world.worker(slots=10, pools={Executor.PROCESS: children})
        await asyncio.sleep(0.5)
        assert children.at_once == 3
        await asyncio.sleep(2.7)
        assert children.most == 3
        assert (await world.store.counts()).ended == {"SUCCESS": 7}

    run(story)


def test_a_suspect_that_ends_at_once_does_not_hold_up_the_next() -> None:
    async def story(world: World) -> None:
        async def quick() -> None: ...

        world.task(quick)
        await world.rescued("quick", 20)
        await world.worker(slots=4)
        await asyncio.sleep(0.3)
        assert (await world.store.counts()).ended == {"SUCCESS": 20}

    run(story)


def test_whose_own_process_dies_stays_a_suspect_and_is_not_failed() -> None:
    async def story(world: World) -> None:
        class Deadly(Children):
            async def run(self, call: Call) -> Any:
                raise ChildDied("the process that ran this was killed by SIGKILL", status=-9)

        async def poison() -> None: ...

        world.task(poison)
        (run_id,) = await world.rescued("poison")
        await world.worker(slots=4, pools={Executor.PROCESS: Deadly(2)})
        await asyncio.sleep(1)
        ended = await world.ended(run_id)
        assert (ended.state, ended.reason) == (State.DEAD, f"poison: killed {CRASHES_MAX} processes")
        assert len(await world.store.attempts(run_id)) == 1 + CRASHES_MAX

    run(story)

"""What every structure promises beyond the order: batches, extremes, re-entrancy, letting go, giving back."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.timer.builds import BUILDS, CALENDARS, Make

from shike.errors import BadInput, BadSetting
from shike.timer import TIMER_NAMES, TimerQueue, timer_queue
from shike.timer.calendar_wheel import month_start, week_start
from shike.timer.hierarchical_wheel import HierarchicalWheel
from shike.timer.lazy_heap import LazyHeap

# With a tick of a millisecond the hashed wheel, too, is exact.
MAKERS: dict[str, Make] = {name: partial(timer_queue, name, ticks_per_second=1_000) for name in TIMER_NAMES} | CALENDARS
EPOCH = date(1970, 1, 1)
WHENS = st.lists(st.integers(-50, 700) | st.integers(-(2**63), 2**63), max_size=60)

every_build = pytest.mark.parametrize("calendar", BUILDS.values(), ids=list(BUILDS))
every_structure = pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))


class Item:
    """Something that can be watched being let go of."""


def pop_all(queue: TimerQueue[Any]) -> list[Any]:
    return queue.pop_due(2**70)


@every_structure
class TestMetamorphic:
    @given(whens=WHENS, ascending=st.booleans())
    def test_a_batch_is_its_insertions_one_by_one(self, make: Make, whens: list[int], ascending: bool) -> None:
        batch, singles = make(), make()
        batch.insert_many(whens, range(len(whens)), ascending=ascending)
        for item, when in enumerate(whens):
            singles.insert(when, item)
        assert batch.drain() == singles.drain() == sorted(zip(whens, range(len(whens)), strict=True))

    @given(whens=WHENS, shift=st.integers(-(2**40), 2**40))
    def test_shifting_all_times_shifts_nothing_else(self, make: Make, whens: list[int], shift: int) -> None:
        plain, shifted = make(), make()
        plain.insert_many(whens, whens)
        shifted.insert_many([when + shift for when in whens], whens)
        for now in (0, 100, 640):
            assert plain.pop_due(now) == shifted.pop_due(now + shift)
        assert pop_all(plain) == pop_all(shifted)

    @given(whens=WHENS, stops=st.lists(st.integers(-60, 800)))
    def test_many_small_steps_are_one_big_step(self, make: Make, whens: list[int], stops: list[int]) -> None:
        stepwise, at_once = make(), make()
        stepwise.insert_many(whens, whens)
        at_once.insert_many(whens, whens)
        popped = [item for now in [*sorted(stops), 900] for item in stepwise.pop_due(now)]
        assert popped == at_once.pop_due(900)

    @given(whens=WHENS, extra=WHENS)
    def test_what_is_cancelled_leaves_no_trace(self, make: Make, whens: list[int], extra: list[int]) -> None:
        queue = make()
        tokens = queue.insert_many(extra, extra)
        queue.insert_many(whens, range(len(whens)))
        assert queue.cancel_many(tokens) == len(extra)
        assert len(queue) == len(whens)
        assert queue.drain() == sorted(zip(whens, range(len(whens)), strict=True))


@every_structure
class TestEdges:
    def test_an_empty_structure_answers_everything(self, make: Make) -> None:
        queue = make()
        assert queue.next_due() is None
        assert queue.pop_due(2**62) == queue.drain() == []
        assert queue.insert_many([], []) == []
        assert not queue.cancel(0)
        assert not queue.maintain(1)
        assert queue.stats().live == len(queue) == 0

    def test_extreme_times_are_times(self, make: Make) -> None:
        queue = make()
        whens = [2**62, -(2**62), 0, 2**63 - 1, -1, 2**62, 2**80]
        queue.insert_many(whens, range(7))
        assert queue.pop_due(-(2**62) - 1) == []
        assert queue.pop_due(-1) == [1, 4]
        assert queue.pop_due(2**62 - 1) == [2]
        assert queue.pop_due(2**62) == [0, 5]
        assert queue.drain() == [(2**63 - 1, 3), (2**80, 6)]

    def test_two_times_more_than_items_are_refused_and_nothing_is_inserted(self, make: Make) -> None:
        queue = make()
        with pytest.raises(BadInput, match="one time for each"):
            queue.insert_many([1, 2, 3], ["a"])
        assert len(queue) == 0

    @pytest.mark.parametrize("is_running", [False, True], ids=["at rest", "being served"])
    @pytest.mark.parametrize(
        "spoil",
        [
            lambda queue, token: queue.insert(1.5, "half"),
            lambda queue, token: queue.insert(float("nan"), "never"),
            lambda queue, token: queue.insert_many([2, 2.5, 3], "abc", ascending=True),
            lambda queue, token: queue.insert_many([2, 2.5, 3], "abc"),
            lambda queue, token: queue.insert_many([2, "3"], "ab"),
            lambda queue, token: queue.move(token, 7.5),
            lambda queue, token: queue.move(token, "later"),
        ],
    )
    def test_what_is_no_whole_number_is_no_time_and_changes_nothing(
        self, make: Make, spoil: Callable[[TimerQueue[Any], int], object], is_running: bool
    ) -> None:
        queue = make()
        queue.insert_many([6, 6], "xy")
        token = queue.insert(7, "seven")
        if is_running:
            assert queue.pop_due(6, limit=1) == ["x"]
        with pytest.raises(TypeError):
            spoil(queue, token)
        queue.insert(500, "later")
        assert queue.pop_due(6) == (["y"] if is_running else ["x", "y"])
        assert queue.drain() == [(7, "seven"), (500, "later")]

    def test_a_wrong_hint_costs_no_order(self, make: Make) -> None:
        queue = make()
        queue.insert_many([5, 900, 1, 5], "abcd", ascending=True)
        assert queue.pop_due(10_000) == ["c", "a", "d", "b"]

    def test_none_is_an_item(self, make: Make) -> None:
        queue = make()
        token = queue.insert(5, None)
        moved = queue.move(token, 7)
        assert moved is not None
        assert queue.pop_due(6) == []
        assert queue.pop_due(7) == [None]

    def test_items_are_not_asked_whether_they_are_equal(self, make: Make) -> None:
        class Touchy:
            __hash__ = None  # type: ignore[assignment]

            def __eq__(self, other: object) -> bool:
                raise AssertionError("a structure calls no code of its user")

        queue = make()
        tokens = queue.insert_many([*range(40), *range(40)], [Touchy() for _ in range(80)])
        assert queue.cancel_many([*tokens[:30], *tokens[:3], *tokens[50:]]) == 60
        moved = queue.move(tokens[30], 50)
        assert moved is not None
        assert queue.cancel(moved)
        assert len(queue.pop_due(30)) == 10
        assert len(queue.drain()) == 9

    def test_a_limit_keeps_the_rest_due(self, make: Make) -> None:
        queue = make()
        queue.insert_many([7] * 5_000, range(5_000), ascending=True)
        popped: list[int] = []
        while len(queue):
            part = queue.pop_due(7, limit=700)
            assert len(part) == min(700, 5_000 - len(popped))
            popped += part
            next_due = queue.next_due()
            assert next_due is None or next_due <= 7
        assert popped == list(range(5_000))

    def test_same_tick_insertions_queue_up_behind_a_half_served_crowd(self, make: Make) -> None:
        queue = make()
        queue.insert_many([7] * 3_000, range(3_000))
        popped = queue.pop_due(7, limit=10)
        queue.insert(7, "behind")
        queue.insert(6, "before")
        assert queue.pop_due(7, limit=1) == ["before"]
        assert popped + pop_all(queue) == [*range(3_000), "behind"]

    def test_cancelling_wins_until_popped(self, make: Make) -> None:
        queue = make()
        tokens = queue.insert_many([5] * 10, range(10))
        assert queue.pop_due(5, limit=4) == [0, 1, 2, 3]
        assert [queue.cancel(token) for token in tokens[2:7]] == [False, False, True, True, True]
        assert queue.move(tokens[0], 99) is None
        assert pop_all(queue) == [7, 8, 9]

    def test_tokens_outlive_draining(self, make: Make) -> None:
        queue = make()
        old = queue.insert_many([1, 2, 3], "abc")
        queue.drain()
        new = queue.insert_many([1, 2, 3], "abc")
        assert not set(old) & set(new)
        assert queue.cancel_many(old) == 0
        assert len(queue) == 3


@every_structure
class TestLettingGo:
    def test_cancelling_lets_go_of_the_item_at_once(self, make: Make) -> None:
        queue = make()
        for when in (3, 10_000, 2**40):
            item = Item()
            watch = weakref.ref(item)
            token = queue.insert(when, item)
            del item
            assert watch() is not None
            queue.cancel(token)
            assert watch() is None

    def test_popping_lets_go_even_while_neighbours_wait(self, make: Make) -> None:
        queue = make()
        items = [Item() for _ in range(3)]
        watches = [weakref.ref(item) for item in items]
        queue.insert_many([1, 2, 3], items)
        items.clear()
        assert len(queue.pop_due(2)) == 2
        assert [watch() is None for watch in watches] == [True, True, False]

    def test_an_item_may_come_back_while_it_is_let_go(self, make: Make) -> None:
        queue = make()

        class Phoenix:
            def __del__(self) -> None:
                queue.insert(9, "reborn")

        tokens = [queue.insert(when, Phoenix()) for when in (5, 5, 2**35)]
        assert queue.cancel(tokens[0])
        assert queue.cancel_many(tokens) == 2
        assert len(queue) == 3
        assert queue.drain() == [(9, "reborn")] * 3

    def test_the_caller_may_do_anything_while_walking_what_was_due(self, make: Make) -> None:
        queue = make()
        queue.insert_many(range(20), range(20), ascending=True)
        seen, later = [], queue.insert(500, "later")
        for item in queue.pop_due(9):
            seen.append(item)
            if item == 3:
                queue.insert(0, "at once")
            if item == 4:
                assert queue.cancel(later)
            if item == 5:
                seen += queue.pop_due(11)
        assert seen == [0, 1, 2, 3, 4, 5, "at once", 10, 11, 6, 7, 8, 9]
        assert pop_all(queue) == list(range(12, 20))

    def test_cancelled_places_are_given_back(self, make: Make) -> None:
        queue, rng = make(), random.Random(3)
        for _ in range(10):
            whens = [rng.randrange(2**34) for _ in range(2_000)]
            tokens = queue.insert_many(whens, whens)
            rng.shuffle(tokens)
            assert queue.cancel_many(tokens[10:]) == 1_990
        assert len(queue) == 100
        assert queue.stats().dead <= 5_000
        drained = queue.drain()
        assert len(drained) == 100
        assert drained == sorted(drained)

    def test_far_timers_cancelled_one_by_one_do_not_pile_up(self, make: Make) -> None:
        queue = make()
        for day in range(20_000):
            queue.cancel(queue.insert(day << 40, day))
        stats = queue.stats()
        assert (stats.live, stats.dead <= 2_048, stats.buckets <= 2_048) == (0, True, True)

    def test_nothing_is_left_behind_when_all_was_served(self, make: Make) -> None:
        queue, rng = make(), random.Random(4)
        for now in range(0, 200_000, 500):
            queue.insert_many([now + rng.randrange(3_000) for _ in range(50)], range(50))
            queue.pop_due(now)
            queue.maintain(100)
        pop_all(queue)
        queue.next_due()
        stats = queue.stats()
        assert (stats.live, stats.worst_bucket) == (0, 0)
        assert stats.dead <= 1_024
        assert stats.bytes_estimate <= 20_000


def test_a_wheel_hands_down_the_slot_that_its_hand_comes_to_stand_at() -> None:
    wheel: HierarchicalWheel[str] = HierarchicalWheel(1, 2)
    wheel.insert_many([70, 4_100], ["of the wider wheel", "of the heap beyond"])
    assert wheel.pop_due(63) == []
    wheel.insert(100, "of the finer one")
    assert wheel.pop_due(80) == ["of the wider wheel"]
    assert wheel.pop_due(4_095) == ["of the finer one"]
    wheel.insert(4_110, "came near")
    assert wheel.pop_due(4_105) == ["of the heap beyond"]


@given(day=st.integers(-700_000, 2_900_000))
def test_months_and_weeks_begin_when_the_calendar_says(day: int) -> None:
    on = EPOCH + timedelta(days=day)
    first = on.replace(day=1)
    assert month_start(day) == (first - EPOCH).days
    assert week_start(day) == (max(first, on - timedelta(days=on.weekday())) - EPOCH).days


def test_structures_are_chosen_by_name() -> None:
    assert isinstance(timer_queue(), tuple(BUILDS.values()))
    assert isinstance(timer_queue("lazy-heap"), LazyHeap)
    assert len({type(timer_queue(name)) for name in TIMER_NAMES}) == len(TIMER_NAMES) == 16
    with pytest.raises(BadSetting, match=r"'wheel'.*calendar, heap"):
        timer_queue("wheel")
    with pytest.raises(BadInput, match="at least 1"):
        timer_queue(ticks_per_second=0)

"""What the default structure promises, in both builds: it is compared with a heap, and looked into."""

from __future__ import annotations

import gc
import random
from typing import Any

import pytest
from tests.unit.timer.builds import BUILDS, CALENDARS, Make

from shike.errors import BadInput
from shike.timer import TimerQueue
from shike.timer.lazy_heap import LazyHeap

every_build = pytest.mark.parametrize("calendar", BUILDS.values(), ids=list(BUILDS))


def pop_all(queue: TimerQueue[Any]) -> list[Any]:
    return queue.pop_due(2**70)


@pytest.mark.parametrize("make", CALENDARS.values(), ids=list(CALENDARS))
@pytest.mark.parametrize("spread", [200, 40_000, 2**24, 2**36])
@pytest.mark.parametrize("steps", [3_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_calendar_answers_as_a_heap_does(make: Make, spread: int, steps: int) -> None:
    rng = random.Random(spread)
    queues: list[TimerQueue[int]] = [make(), LazyHeap()]
    tokens: list[tuple[int, ...]] = []
    now = 0
    for item in range(steps):
        roll = rng.random()
        when = now + rng.randrange(-spread // 20, spread)
        if roll < 0.5:
            tokens.append(tuple(queue.insert(when, item) for queue in queues))
        elif roll < 0.55:
            whens = sorted(when + rng.randrange(spread) for _ in range(rng.randrange(60)))
            tokens += zip(*(queue.insert_many(whens, whens, ascending=True) for queue in queues), strict=True)
        elif roll < 0.8 and tokens:
            pair = tokens.pop(rng.randrange(len(tokens)))
            assert len({queue.cancel(token) for queue, token in zip(queues, pair, strict=True)}) == 1
        elif roll < 0.85 and tokens:
            pair = tokens.pop(rng.randrange(len(tokens)))
            moved = [queue.move(token, when) for queue, token in zip(queues, pair, strict=True)]
            assert len({token is None for token in moved}) == 1
            tokens.append(tuple(-1 if token is None else token for token in moved))
        elif roll < 0.9:
            queues[0].maintain(50)
        else:
            now += rng.randrange(spread // 20)
            limit = rng.choice([None, 3, 100])
            assert queues[0].pop_due(now, limit) == queues[1].pop_due(now, limit)
        assert len(queues[0]) == len(queues[1])
    assert queues[0].drain() == queues[1].drain()


@every_build
def test_what_was_served_is_given_back_without_the_garbage_collector(calendar: type[Any]) -> None:
    gc.collect()
    gc.disable()
    try:
        queue: TimerQueue[int] = calendar(64, crowd=8)
        for now in range(0, 20_000, 50):
            tokens = queue.insert_many(range(now, now + 300, 3), range(100), ascending=True)
            queue.cancel_many(tokens[::2])
            queue.pop_due(now)
            queue.maintain(100)
        assert queue.drain()
        del queue
        assert gc.collect() <= 20
    finally:
        gc.enable()


@every_build
def test_maintaining_splits_and_sorts_before_the_time_comes(calendar: type[Any]) -> None:
    queue: TimerQueue[int] = calendar(64, crowd=8)
    whens = [1_000_000 + place * 37 % 5_000 for place in range(500)]
    queue.insert_many(whens, whens)
    steps = 1
    while queue.maintain(1):
        steps += 1
    assert steps > 1
    assert not queue.maintain(1_000)
    assert queue.pop_due(999_999) == []
    assert pop_all(queue) == sorted(whens)


@every_build
def test_what_comes_after_the_sorting_is_not_forgotten(calendar: type[Any]) -> None:
    queue: TimerQueue[str] = calendar(64)
    queue.insert(70, "sorted ahead")
    assert not queue.maintain(1_000)
    queue.insert(69, "came after")
    assert queue.pop_due(70) == ["came after", "sorted ahead"]


def crowded(calendar: type[Any]) -> tuple[TimerQueue[int], list[int]]:
    """Items 0 to 299 lie in a column of their base bucket, since the wider buckets around it are full."""
    queue: TimerQueue[int] = calendar(1_024, crowd=300)
    queue.insert_many([60_000] * 600, [-1] * 600)
    return queue, queue.insert_many(range(300), range(300), ascending=True)


@every_build
def test_cancelling_many_of_a_bucket_that_is_being_served_hides_none_of_them(calendar: type[Any]) -> None:
    queue, tokens = crowded(calendar)
    assert queue.pop_due(0) == [0]
    assert queue.cancel_many(tokens[20:]) == 280
    assert queue.pop_due(50_000) == list(range(1, 20))


@every_build
def test_cancelling_many_of_a_bucket_sorted_ahead_hides_none_of_them(calendar: type[Any]) -> None:
    queue, tokens = crowded(calendar)
    while queue.maintain(10):
        pass
    assert queue.cancel_many(tokens[20:]) == 280
    assert queue.pop_due(50_000) == list(range(20))


@every_build
@pytest.mark.parametrize("forget", ["by looking ahead", "by sweeping"])
def test_a_crowded_bucket_stays_split_while_only_its_parts_hold_items(calendar: type[Any], forget: str) -> None:
    queue: TimerQueue[int | str] = calendar(64, crowd=4)
    tokens = queue.insert_many([5] * 100, range(100))
    queue.cancel_many(tokens[:60])
    if forget == "by looking ahead":
        assert queue.next_due() == 5
    else:
        for day in range(1, 3_000):
            queue.cancel(queue.insert(day << 30, day))
        assert queue.stats().buckets < 2_000
    queue.insert(5, "last")
    assert pop_all(queue) == [*range(60, 100), "last"]


@every_build
@pytest.mark.parametrize(("ticks", "crowd"), [(0, 4), (-1, 4), (2**41, 4), (8, 0), (8, 1_025)])
def test_a_calendar_refuses_impossible_sizes(calendar: type[Any], ticks: int, crowd: int) -> None:
    with pytest.raises(BadInput, match="must be within"):
        calendar(ticks, crowd=crowd)


@every_build
@pytest.mark.parametrize("now", [1.5, float("nan"), "1"])
def test_only_an_int_is_a_time(calendar: type[Any], now: Any) -> None:
    with pytest.raises(TypeError):
        calendar().pop_due(now)

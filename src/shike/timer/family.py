"""Every structure by name; a structure is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from shike.errors import BadInput, BadSetting
from shike.timer.base import TimerQueue


class Member(NamedTuple):
    """One structure of the family."""

    home: str
    """Its file, and the class or function there that makes one."""
    width: Callable[[int], int] | None
    """Of a bucket or slot, for so many ticks a second; None: it has none."""
    about: str
    """What it is, in a few words."""

    def make(self, ticks_per_second: int) -> TimerQueue[Any]:
        """A new, empty one."""
        module, _, name = self.home.partition(":")
        make: Callable[..., TimerQueue[Any]] = getattr(import_module(f"shike.timer.{module}"), name)
        return make() if self.width is None else make(self.width(ticks_per_second))


def _second(ticks_per_second: int) -> int:
    return ticks_per_second


def _millisecond(ticks_per_second: int) -> int:
    return max(ticks_per_second // 1000, 1)


FAMILY = {
    "calendar": Member("build:calendar_queue", _second, "packed calendar queue (the default)"),
    "heap": Member("heap:BinaryHeap", None, "binary heap"),
    "lazy-heap": Member("lazy_heap:LazyHeap", None, "heap with lazy deletion"),
    "sleep-loop": Member("sleep_loop:SleepLoop", None, "sleep loop: look at everything"),
    "linked-list": Member("linked_list:LinkedList", None, "sorted linked list"),
    "sorted-array": Member("sorted_array:SortedArray", None, "sorted array"),
    "b-plus-tree": Member("b_plus_tree:BPlusTree", None, "B+ tree"),
    "skip-list": Member("skip_list:SkipList", None, "skip list"),
    "slot-wheel": Member("slot_wheel:SlotWheel", _millisecond, "wheel of slots"),
    "rounds-wheel": Member("rounds_wheel:RoundsWheel", _millisecond, "wheel with rounds, ticking"),
    "tickless-wheel": Member("tickless_wheel:TicklessWheel", _millisecond, "wheel with rounds, tickless"),
    "hashed-wheel": Member("hashed_wheel:HashedWheel", _millisecond, "hashed wheel, late by up to a tick"),
    "hierarchical-wheel": Member("hierarchical_wheel:HierarchicalWheel", _millisecond, "hierarchical wheel, bitmaps"),
    "calendar-wheel": Member("calendar_wheel:CalendarWheel", _second, "wheels of month, week, day, hour …"),
    "delay-queue": Member("delay_queue:DelayQueue", None, "delay queue for threads"),
    "async-delay-queue": Member("async_delay_queue:AsyncDelayQueue", None, "delay queue for asyncio"),
}
TIMER_NAMES = tuple(FAMILY)


def timer_queue(name: str = "calendar", *, ticks_per_second: int = 1_000_000) -> TimerQueue[Any]:
    """A new, empty structure of that name; times are in ticks, by default microseconds.

    A bucket of the calendars is about a second, a slot of the wheels about a millisecond.
    Raises `BadSetting` for a name that is not in `TIMER_NAMES`, and `BadInput` unless ticks_per_second ≥ 1.
    """
    if ticks_per_second < 1:
        raise BadInput(f"ticks_per_second is {ticks_per_second}; a second has at least 1")
    if name not in FAMILY:
        raise BadSetting(f"no timer structure is called {name!r}; choose one of: {', '.join(TIMER_NAMES)}")
    return FAMILY[name].make(ticks_per_second)

"""The order of eligible runs: per queue and band one lane, a calendar of pages.

A page holds what becomes eligible within about one second (`pages`). It is sorted once, when it is first read; until
then an arrival is one append. So a million pending runs cost an arrival nothing, there is no entry that is not true,
and a window of time can be read without looking at what lies outside it. After R. Brown, "Calendar queues", CACM 31
(1988).
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final

from shike.clock import WALL_MAX
from shike.lanes import lane_of_worker
from shike.model import Live
from shike.store.memory.pages import NO_KEYS, Entry, Page

PAGE_BITS: Final = 20  # a page is 2^20 µs
COMPACT_PAGES: Final = 1024  # names of pages that are gone are let go in steps of at least so many


class Lane:
    """Runs in the order of (run_at, id)."""

    __slots__ = ("_numbers", "_pages")

    def __init__(self) -> None:
        self._pages: dict[int, Page] = {}
        self._numbers: list[int] = []  # a heap; may name pages that are gone

    def __len__(self) -> int:
        return sum(map(len, self._pages.values()))

    def __bool__(self) -> bool:
        return bool(self._pages)

    def add(self, live: Live) -> None:
        entry = (live.run_at, live.run.id, live)
        number = live.run_at >> PAGE_BITS
        page = self._pages.get(number)
        if page is not None:
            page.add(entry)
            return
        self._pages[number] = Page(entry)
        heappush(self._numbers, number)

    def remove(self, live: Live) -> None:
        number = live.run_at >> PAGE_BITS
        page = self._pages[number]
        page.remove(live.run_at, live.run.id)
        if not page:
            del self._pages[number]
            if len(self._numbers) > 2 * len(self._pages) + COMPACT_PAGES:
                self._numbers = list(self._pages)
                heapify(self._numbers)

    def first(self) -> Live | None:
        """The run that is eligible before all others, whenever that is."""
        while self._numbers:
            page = self._pages.get(self._numbers[0])
            if page is not None:
                return page.open().first()
            heappop(self._numbers)
        return None

    def earliest(self, count: int) -> list[Live]:
        """The first so many runs, in order, whenever they are eligible. Costs what it returns."""
        found: list[Live] = []
        looked_at: dict[int, None] = {}
        while len(found) < count and self.first() is not None:
            number = heappop(self._numbers)
            if number not in looked_at:  # a page that came back is named twice
                page = self._pages[number]
                found += page.open().firsts(count - len(found))
                looked_at[number] = None
        for number in looked_at:
            heappush(self._numbers, number)
        return found

    def take(self, now: int, room: int, tasks: frozenset[str], keys: frozenset[str] = NO_KEYS) -> list[Entry]:
        """Remove and return, in order, at most `room` runs of these tasks that are eligible; none of these keys."""
        taken: list[Entry] = []
        looked_at: list[int] = []
        while len(taken) < room and self._numbers and self._numbers[0] <= now >> PAGE_BITS:
            page = self._pages.get(self._numbers[0])
            if page is not None:
                taken += page.open().take(now, room - len(taken), tasks, keys)
                if page and len(taken) == room:
                    break
            number = heappop(self._numbers)
            if page:
                looked_at.append(number)
            else:
                self._pages.pop(number, None)
        for number in looked_at:
            heappush(self._numbers, number)
        return taken

    def has(self, now: int, tasks: frozenset[str], keys: frozenset[str] = NO_KEYS) -> bool:
        """Whether `take` would find something."""
        first = self.first()
        if first is None or first.run_at > now:
            return False
        if first.run.task in tasks and first.run.key not in keys:
            return True
        return any(live.run.task in tasks and live.run.key not in keys for live in self.between(-1, now))

    def first_after(self, now: int) -> int:
        """The earliest run_at still ahead; 0: none."""
        first = self.first()
        if first is None or first.run_at > now:
            return 0 if first is None else first.run_at
        return next(self.instants(now, WALL_MAX), 0)

    def between(self, after: int, until: int) -> Iterator[Live]:
        """The runs with after < run_at ≤ until, in order. The lane must not change meanwhile."""
        for number in self._window(after >> PAGE_BITS, until >> PAGE_BITS):
            for _, _, live in self._pages[number].open().between(after, until):
                yield live

    def instants(self, after: int, until: int) -> Iterator[int]:
        """The distinct run_at of `between`, in order; many runs of one instant cost no more than one."""
        for number in self._window(after >> PAGE_BITS, until >> PAGE_BITS):
            yield from self._pages[number].open().instants(after, until)

    def _window(self, low: int, high: int) -> list[int]:
        if high - low < len(self._pages):
            return [number for number in range(low, high + 1) if number in self._pages]
        return sorted(number for number in self._pages if low <= number <= high)


def name_of(live: Live) -> str:
    """The lane in which it stands, or will when it comes back."""
    return lane_of_worker(live.run.queue, live.worker) if live.worker else live.run.queue


class Lanes:
    """All lanes of one kind: by name, then by band."""

    def __init__(self) -> None:
        self.by_queue: dict[str, dict[int, Lane]] = {}

    def add(self, live: Live) -> None:
        name = name_of(live)
        bands = self.by_queue.get(name)
        if bands is None:
            bands = self.by_queue[name] = {}
        lane = bands.get(live.band)
        if lane is None:
            lane = bands[live.band] = Lane()
        lane.add(live)

    def remove(self, live: Live) -> None:
        self.by_queue[name_of(live)][live.band].remove(live)

    def all(self) -> Iterator[tuple[str, Lane]]:
        for queue, bands in self.by_queue.items():
            for lane in bands.values():
                yield queue, lane

    def tidy(self) -> None:
        """Let go of queues that nothing stands in: their names may never come back."""
        for queue in [queue for queue, bands in self.by_queue.items() if not any(bands.values())]:
            del self.by_queue[queue]

"""The order of eligible runs: per queue and band one lane, a calendar of pages.

A page holds what becomes eligible within about one second. It is sorted once, when it is first read; until then an
arrival is one append. So a million pending runs cost an arrival nothing, there is no entry that is not true, and a
window of time can be read without looking at what lies outside it. After R. Brown, "Calendar queues", CACM 31 (1988).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final, TypeAlias

from shike.clock import WALL_MAX
from shike.lanes import lane_of_worker
from shike.model import Live

PAGE_BITS: Final = 20  # a page is 2^20 µs
AFTER_ALL: Final = 1 << 63  # above every run id
COMPACT_ENTRIES: Final = 1024  # what was taken is let go in steps of at least so many

Entry: TypeAlias = tuple[int, int, Live]  # (run_at, run id, the run): no two share the first two


class Page:
    """The entries of about one second; those before `head` have been taken."""

    __slots__ = ("_opened", "entries", "head")

    def __init__(self, entry: Entry) -> None:
        self.entries = [entry]
        self.head = 0
        self._opened = False

    def __len__(self) -> int:
        return len(self.entries) - self.head

    def open(self) -> Page:
        """Sorted from here on."""
        if not self._opened:
            self.entries.sort()
            self._opened = True
        return self

    def add(self, entry: Entry) -> None:
        if self._opened and entry < self.entries[-1]:
            insort(self.entries, entry, lo=self.head)
        else:
            self.entries.append(entry)

    def remove(self, run_at: int, run_id: int) -> None:
        self.open()
        place = bisect_left(self.entries, (run_at, run_id), lo=self.head)
        assert self.entries[place][1] == run_id, "a run in a lane has its place there"
        del self.entries[place]

    def take(self, now: int, room: int, tasks: frozenset[str]) -> list[Entry]:
        """Remove and return the first `room` entries of these tasks that are eligible."""
        entries, head = self.entries, self.head
        due = bisect_right(entries, (now, AFTER_ALL), lo=head)
        first = entries[head : min(head + room, due)]
        fit = [entry for entry in first if entry[2].run.task in tasks]
        if len(fit) < len(first):
            return self._pick(due, room, tasks)
        self.head = head = head + len(fit)
        if head > COMPACT_ENTRIES and 2 * head > len(entries):
            del entries[:head]
            self.head = 0
        return fit

    def _pick(self, due: int, room: int, tasks: frozenset[str]) -> list[Entry]:
        """As `take`, where other tasks' runs stand in between and stay."""
        fit: list[Entry] = []
        stay: list[Entry] = []
        end = self.head
        while end < due and len(fit) < room:
            entry = self.entries[end]
            (fit if entry[2].run.task in tasks else stay).append(entry)
            end += 1
        self.entries[self.head : end] = stay
        return fit


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
            if len(self._numbers) > 2 * len(self._pages) + COMPACT_ENTRIES:
                self._numbers = list(self._pages)
                heapify(self._numbers)

    def first(self) -> Live | None:
        """The run that is eligible before all others, whenever that is."""
        while self._numbers:
            page = self._pages.get(self._numbers[0])
            if page is not None:
                return page.open().entries[page.head][2]
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
                found += [live for _, _, live in page.open().entries[page.head : page.head + count - len(found)]]
                looked_at[number] = None
        for number in looked_at:
            heappush(self._numbers, number)
        return found

    def take(self, now: int, room: int, tasks: frozenset[str]) -> list[Entry]:
        """Remove and return, in order, at most `room` runs of these tasks that are eligible."""
        taken: list[Entry] = []
        looked_at: list[int] = []
        while len(taken) < room and self._numbers and self._numbers[0] <= now >> PAGE_BITS:
            page = self._pages.get(self._numbers[0])
            if page is not None:
                taken += page.open().take(now, room - len(taken), tasks)
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

    def has(self, now: int, tasks: frozenset[str]) -> bool:
        """Whether `take` would find something."""
        first = self.first()
        if first is None or first.run_at > now:
            return False
        return first.run.task in tasks or any(live.run.task in tasks for live in self.between(-1, now))

    def first_after(self, now: int) -> int:
        """The earliest run_at still ahead; 0: none."""
        first = self.first()
        if first is None or first.run_at > now:
            return 0 if first is None else first.run_at
        return next(self.instants(now, WALL_MAX), 0)

    def between(self, after: int, until: int) -> Iterator[Live]:
        """The runs with after < run_at ≤ until, in order. The lane must not change meanwhile."""
        for number in self._window(after >> PAGE_BITS, until >> PAGE_BITS):
            page = self._pages[number].open()
            start = bisect_right(page.entries, (after, AFTER_ALL), lo=page.head)
            end = bisect_right(page.entries, (until, AFTER_ALL), lo=start)
            for place in range(start, end):
                yield page.entries[place][2]

    def instants(self, after: int, until: int) -> Iterator[int]:
        """The distinct run_at of `between`, in order; many runs of one instant cost no more than one."""
        for number in self._window(after >> PAGE_BITS, until >> PAGE_BITS):
            entries = self._pages[number].open().entries
            place = bisect_right(entries, (after, AFTER_ALL), lo=self._pages[number].head)
            while place < len(entries) and entries[place][0] <= until:
                yield entries[place][0]
                place = bisect_right(entries, (entries[place][0], AFTER_ALL), lo=place)

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

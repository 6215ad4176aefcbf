"""The receiver's memory: one bitmap per day, so that each delivery is taken once (R0.13)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from shike.bounds import SEEN_DAYS, SEEN_PAGES_MAX
from shike.clock import MICROS
from shike.errors import BadInput, DayForgotten, TooLarge

_PAGE_BYTES = 64 * 1024
_PAGE_BITS = 19  # numbers in a page: 8 · 64 Ki
_PAGE_MASK = (1 << _PAGE_BITS) - 1
_SAVED = struct.Struct(">4sHI")  # magic and version, days kept, pages
_SAVED_PAGE = struct.Struct(">iQI")  # day, page, bytes that follow
_MAGIC = b"SKD1"
_SECONDS_PER_DAY = 24 * 3600


def day_of(at: int) -> int:
    """Days since 1970 in UTC, of UTC microseconds."""
    return at // (_SECONDS_PER_DAY * MICROS)


class SeenToday:
    """Which numbers a receiver has seen: one bitmap per day, so each delivery is taken once.

    Numbers are sequence numbers of one sender: a million that are dense cost 128 KiB. Keeps the newest
    `days` days; a newer day than all so far makes the oldest be forgotten, so check a stranger's day first.
    To mark and to do the work are two steps: mark first, and `forget` the number if the work failed.
    Not thread-safe.
    """

    def __init__(self, days: int = SEEN_DAYS, *, pages_max: int = SEEN_PAGES_MAX) -> None:
        if days < 1 or days > 0xFFFF:
            raise BadInput(f"cannot keep {days} days; at least one, at most {0xFFFF}")
        self._keep = days
        self._pages_max = pages_max
        self._days: dict[int, dict[int, bytearray]] = {}

    def first_time(self, number: int, day: int) -> bool:
        """Whether `number` of `day` comes for the first time; from now on it does not.

        Raises `DayForgotten` for a day older than those kept (whether it was seen is not known), `TooLarge`
        when the bitmaps would need more than `pages_max` pages of 64 KiB: the numbers are not dense.
        """
        if not 0 <= number < 1 << 64:
            raise BadInput(f"{number} is no sequence number; they start at 0 and fit 64 bits")
        page = self._page(number >> _PAGE_BITS, day)
        place, bit = (number & _PAGE_MASK) >> 3, 1 << (number & 7)
        if page[place] & bit:
            return False
        page[place] |= bit
        return True

    def forget(self, number: int, day: int) -> None:
        """As if `number` of `day` had not come. Of a day not kept there is nothing to forget."""
        page = self._days.get(day, {}).get(number >> _PAGE_BITS)
        if page is not None:
            page[(number & _PAGE_MASK) >> 3] &= ~(1 << (number & 7))

    def _page(self, page_number: int, day: int) -> bytearray:
        pages = self._days.get(day)
        if pages is None:
            pages = self._open_day(day)
        page = pages.get(page_number)
        if page is None:
            used = sum(map(len, self._days.values()))
            if used >= self._pages_max:
                raise TooLarge(
                    f"{used} pages are in use; number the messages of a day from 0, or keep fewer days",
                    size=used + 1,
                    limit=self._pages_max,
                )
            page = pages[page_number] = bytearray(_PAGE_BYTES)
        return page

    def _open_day(self, day: int) -> dict[int, bytearray]:
        if not -(1 << 31) <= day < 1 << 31:
            raise BadInput(f"{day} is no day; give days since 1970, e.g. day_of(clock.wall())")
        oldest_day = max(self._days, default=day) - self._keep + 1
        if day < oldest_day:
            raise DayForgotten(
                f"day {day} is forgotten; the oldest kept is {oldest_day}", day=day, oldest_day=oldest_day
            )
        for known in [known for known in self._days if known <= day - self._keep]:
            del self._days[known]
        return self._days.setdefault(day, {})

    def save(self) -> bytes:
        """All of it in bytes, for `load`: the same contents always give the same bytes."""
        pages = list(self._sorted_pages())
        parts = [_SAVED.pack(_MAGIC, self._keep, len(pages))]
        for day, page_number, page in pages:
            filled = page.rstrip(b"\0")
            parts += (_SAVED_PAGE.pack(day, page_number, len(filled)), bytes(filled))
        body = b"".join(parts)
        return body + zlib.crc32(body).to_bytes(4, "big")

    def _sorted_pages(self) -> Iterator[tuple[int, int, bytearray]]:
        for day, pages in sorted(self._days.items()):
            yield from ((day, page_number, page) for page_number, page in sorted(pages.items()))

    @classmethod
    def load(cls, saved: bytes, *, pages_max: int = SEEN_PAGES_MAX) -> SeenToday:
        """What `save` wrote. Raises `BadInput` when the bytes are damaged or something else, `TooLarge` when they
        need more than `pages_max` pages.
        """
        body = saved[:-4]
        if saved[:4] != _MAGIC or zlib.crc32(body).to_bytes(4, "big") != saved[-4:]:
            raise BadInput("these bytes were not written by SeenToday.save, or they are damaged")
        try:
            _, days, count = _SAVED.unpack_from(body)
            seen, at = cls(days, pages_max=pages_max), _SAVED.size
            for _ in range(count):
                day, page_number, size = _SAVED_PAGE.unpack_from(body, at)
                at += _SAVED_PAGE.size
                seen._page(page_number, day)[:size] = body[at : at + min(size, _PAGE_BYTES)]
                at += size
        except struct.error as error:
            raise BadInput(f"these bytes end too early ({error}); they were not written by SeenToday.save") from None
        if at != len(body):
            raise BadInput("these bytes go on after their end; they were not written by SeenToday.save")
        return seen

"""What every trigger promises: a pure function from one moment to the next."""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

import msgspec

from shike.bounds import BETWEEN_MOMENTS, COUNT_MOMENTS

Lang = Literal["en", "zh"]


class Tally(NamedTuple):
    """How many moments; where not `exact`, at least so many."""

    moments: int
    exact: bool = True


class Trigger(msgspec.Struct, frozen=True, dict=True, omit_defaults=True, tag_field="kind", tag=str.lower):
    """Says which moments there are; moments are UTC microseconds, never before 1970.

    A trigger is a value: equal fields mean equal moments, on every machine with the same tz database. It reads no
    clock and holds no state, so it may be stored, compared and shared between threads.
    """

    @property
    def after_end(self) -> bool:
        """Whether the next moment depends on when the previous run ended (fixed delay): then it cannot be listed."""
        return False

    def next(self, after: int | None, ended: int | None = None) -> int | None:
        """The first moment strictly after `after`; for None the very first. None where there is no further one.

        `ended`, the end of the previous run, is read by fixed delay only.
        """
        raise NotImplementedError

    def prev(self, before: int) -> int | None:
        """The last moment strictly before `before`, or None."""
        raise NotImplementedError

    def between(self, start: int, end: int, limit: int = BETWEEN_MOMENTS) -> list[int]:
        """The moments with start ≤ moment < end, ascending, the first `limit` of them."""
        found: list[int] = []
        moment = self.next(start - 1)
        while moment is not None and moment < end and len(found) < limit:
            found.append(moment)
            moment = self.next(moment)
        return found

    def count(self, start: int, end: int, cap: int = COUNT_MOMENTS) -> Tally:
        """How many moments lie in [start, end): by arithmetic where there is one, else one by one up to `cap`."""
        found = 0
        moment = self.next(start - 1)
        while moment is not None and moment < end:
            if found == cap:
                return Tally(found, exact=False)
            found += 1
            moment = self.next(moment)
        return Tally(found)

    def matches(self, at: int) -> bool:
        """Whether `at` is a moment."""
        return self.next(at - 1) == at

    def bound(self, anchor: int, seed: str) -> Self:
        """The same trigger with what it left open filled in: the anchor of `every`, the seed of cron's `H`.

        A schedule binds its trigger once, when it is made, and stores the result.
        """
        return self

    def describe(self, lang: Lang = "en") -> str:
        """The moments in plain words, English or Chinese."""
        from shike.trigger.describe import describe

        return describe(self, lang)

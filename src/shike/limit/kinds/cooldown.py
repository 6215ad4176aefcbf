"""Not again so soon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar

from msgspec.structs import force_setattr

from shike.clock import MICROS
from shike.errors import BadLimit
from shike.limit.kind import Limit, Memory, No, Scalar, check_by
from shike.limit.lengths import in_words, micros_of
from shike.trigger.duration import Duration

UNDER_WAY = -1  # what is remembered while one is not over yet


class After(StrEnum):
    """From when the rest is counted."""

    START = "start"  # from the moment a run is admitted
    END = "end"  # from when it is over for good, as a node noticed; until then no other one goes


class Meanwhile(StrEnum):
    """What becomes of runs that come in between."""

    WAIT = "wait"
    SKIP = "skip"


class Cooldown(Limit, frozen=True):
    """After one run of a key the next goes no earlier than `rest` after its `start` or `end`."""

    rest: Duration
    by: str | tuple[str, ...] = ""
    after: str = After.END
    meanwhile: str = Meanwhile.WAIT

    word: ClassVar[str] = "cooldown"
    minds_ends: ClassVar[bool] = True

    def __post_init__(self) -> None:
        force_setattr(self, "rest", micros_of(self.word, "rest", self.rest) / MICROS)
        for name, value, kind in (("after", self.after, After), ("meanwhile", self.meanwhile, Meanwhile)):
            if value not in tuple(kind):
                raise BadLimit(f"cooldown: {name}={value!r} is none of {', '.join(kind)}", limit=self.word)
        check_by(self.word, self.by)

    @property
    def rest_micros(self) -> int:
        return micros_of(self.word, "rest", self.rest)

    @property
    def drops(self) -> bool:
        return self.meanwhile == Meanwhile.SKIP

    def most(self) -> int:
        return 1 if self.after == After.END else 0

    def look(self, memory: Memory, holders: Sequence[int], now: int) -> Memory:
        if memory == UNDER_WAY and not holders:
            return now + self.rest_micros
        if memory is not None and memory > now + self.rest_micros:  # the clock was set back
            return now + self.rest_micros
        return memory

    def room(self, memory: Memory, values: Mapping[str, Scalar], taken: int, now: int) -> No | None:
        skip = self.meanwhile == Meanwhile.SKIP
        if self.after == After.END and taken:
            return No("the one before is not over", 0, skip)
        if memory is not None and now < memory:
            return No(f"{self.tells()}: again in {(memory - now) / MICROS:.1f} s", memory, skip)
        return None

    def take(self, memory: Memory, values: Mapping[str, Scalar], run_id: int, now: int) -> Memory:
        return UNDER_WAY if self.after == After.END else now + self.rest_micros

    def rests(self, memory: Memory, now: int) -> bool:
        return memory is None or (memory != UNDER_WAY and memory <= now)

    def tells(self) -> str:
        return f"{in_words(self.rest_micros)} of rest after the {self.after}"


kind = Cooldown

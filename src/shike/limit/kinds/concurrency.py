"""So many at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from shike.limit.bounds import CAP_MAX
from shike.limit.kind import Limit, Memory, No, Scalar, check_by, whole


class Concurrency(Limit, frozen=True):
    """At most `cap` runs with one key are admitted and not over, in the whole cluster.

    A run holds its permit from the moment it enters the lane until it is over for good: through retries, their pauses,
    and rescues. The step that ends it gives the permit back.
    """

    cap: int
    by: str | tuple[str, ...] = ""

    word: ClassVar[str] = "concurrency"

    def __post_init__(self) -> None:
        whole(self.word, "cap", self.cap, 1, CAP_MAX)
        check_by(self.word, self.by)

    def most(self) -> int:
        return self.cap

    def room(self, memory: Memory, values: Mapping[str, Scalar], taken: int, now: int) -> No | None:
        return None if taken < self.cap else No(f"{taken} of {self.cap} taken")

    def tells(self) -> str:
        return f"{self.cap} at once"


kind = Concurrency

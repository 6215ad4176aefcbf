"""Turns by weight: start-time fair queueing (P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996) over the keys that wait.

Each admitted run of a key moves the key's *finish* on by 1 / weight. The key with the lowest start goes next, where its
start is its finish, or the present if it had nothing to do in the meantime: idle keys save nothing up, and a key with
ten thousand waiting is asked once per turn like any other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct, convert, field, to_builtins

from shike.errors import BadLimit
from shike.limit.bounds import CAP_MAX, WEIGHT_MAX, WEIGHT_MIN, WEIGHTS_MAX
from shike.limit.kind import Limit, Memory, No, Scalar, check_by, whole


class Turns(Struct, omit_defaults=True):
    """What is remembered: the present, in turns, and who is ahead of it."""

    now: float = 0.0
    ahead: dict[str, float] = field(default_factory=dict)


class FairShare(Limit, frozen=True):
    """At most `cap` runs of the task at once, and they are shared out among the keys by weight (1, if not named).

    While two keys wait, they are admitted in the proportion of their weights, whatever the numbers that wait.
    """

    cap: int
    by: str | tuple[str, ...] = ""
    weights: dict[str, float] = field(default_factory=dict)

    word: ClassVar[str] = "fair_share"
    shared: ClassVar[bool] = True

    def __post_init__(self) -> None:
        whole(self.word, "cap", self.cap, 1, CAP_MAX)
        check_by(self.word, self.by)
        if not isinstance(self.weights, dict) or len(self.weights) > WEIGHTS_MAX:
            raise BadLimit(f"fair_share: weights are a dict of at most {WEIGHTS_MAX:,} keys", limit=self.word)
        for key, weight in self.weights.items():
            is_number = isinstance(weight, int | float) and not isinstance(weight, bool) and math.isfinite(weight)
            if not isinstance(key, str) or not is_number or not WEIGHT_MIN <= weight <= WEIGHT_MAX:
                raise BadLimit(
                    f"fair_share: the weight of {key!r} is {weight!r}; a number from {WEIGHT_MIN} to {WEIGHT_MAX:g}",
                    limit=self.word,
                )

    def most(self) -> int:
        return self.cap

    def room(self, memory: Memory, values: Mapping[str, Scalar], taken: int, now: int) -> No | None:
        return None if taken < self.cap else No(f"{taken} of {self.cap} taken, shared by {', '.join(self.args)}")

    def turn(self, memory: Memory, values: Mapping[str, Scalar]) -> float | None:
        turns = _turns(memory)
        return max(turns.now, turns.ahead.get(self._who(values), 0.0))

    def take(self, memory: Memory, values: Mapping[str, Scalar], run_id: int, now: int) -> Memory:
        turns, who = _turns(memory), self._who(values)
        start = max(turns.now, turns.ahead.get(who, 0.0))
        ahead = {key: finish for key, finish in turns.ahead.items() if finish > start}
        ahead[who] = start + 1.0 / self.weights.get(who, 1.0)
        return to_builtins(Turns(start, ahead))

    def tells(self) -> str:
        return f"{self.cap} at once, shared by {', '.join(self.args)}"

    def _who(self, values: Mapping[str, Scalar]) -> str:
        return "/".join(str(values.get(name, "")) for name in self.args)


def _turns(memory: Memory) -> Turns:
    return Turns() if memory is None else convert(memory, Turns)


kind = FairShare

"""Into how many parts work over many items is cut, and how large the parts of the next time should be. Pure (R2.7).

A part costs something that does not depend on its items (to be stored, claimed, begun, acknowledged), and something for
each item. Measured parts of different sizes tell both (least squares). The best grain is the smallest whose fixed cost
is at most OVERHEAD_SHARE of the whole: larger ones win little throughput and lose latency, evenness and what is done
again after a failure. It moves by steps, so that one odd measurement cannot throw it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from shike.bounds import GRAIN_ITEMS, GRAIN_ITEMS_MAX, GRAPH_RUNS_MAX
from shike.counted import counted
from shike.errors import BadInput, TooLarge

OVERHEAD_SHARE = 0.1  # of a part's time may go to what is not its items
STEP_MAX = 2.0  # a grain grows or shrinks by at most so much at once
CHANGE_MIN = 0.2  # less of a change is not worth it: the measurement is no more exact


class Part(Struct, frozen=True):
    """How long a part of so many items took, from its grant to its end."""

    items: int
    seconds: float


class Cost(Struct, frozen=True):
    """What a part costs in any case, and what each item adds."""

    part_seconds: float
    item_seconds: float

    def of(self, items: int) -> float:
        return self.part_seconds + self.item_seconds * items


def cost_of(parts: Sequence[Part]) -> Cost | None:
    """Fitted to what was measured; None where all parts are of one size, or more items took less time."""
    count = len(parts)
    if len({part.items for part in parts}) < 2:
        return None
    mean_items = sum(part.items for part in parts) / count
    mean_seconds = sum(part.seconds for part in parts) / count
    spread = sum((part.items - mean_items) ** 2 for part in parts)
    slope = sum((part.items - mean_items) * (part.seconds - mean_seconds) for part in parts) / spread
    if slope <= 0:
        return None
    return Cost(max(mean_seconds - slope * mean_items, 0.0), slope)


def adapted(grain: int, parts: Sequence[Part], *, latency_seconds: float = math.inf) -> int:
    """The grain for the next time. `latency_seconds`: no part should take longer."""
    cost = cost_of(parts)
    if cost is None:
        return grain
    wanted = cost.part_seconds * (1 - OVERHEAD_SHARE) / (OVERHEAD_SHARE * cost.item_seconds)
    if cost.part_seconds + cost.item_seconds * wanted > latency_seconds:
        wanted = (latency_seconds - cost.part_seconds) / cost.item_seconds
    bounded = min(max(wanted, grain / STEP_MAX, 1), grain * STEP_MAX, GRAIN_ITEMS_MAX)
    if abs(bounded - grain) < CHANGE_MIN * grain:
        return grain
    return max(round(bounded), 1)


def sizes(items: int, grain: int = GRAIN_ITEMS, *, workers: int = 1) -> list[int]:
    """How many items each part has: about `grain`, alike but for one, and one for each worker if there are enough.

    Raises `BadInput` for a grain that is none, `TooLarge` where there would be more parts than a graph has room for.
    """
    for what, number in (("grain", grain), ("workers", workers)):
        if isinstance(number, bool) or not isinstance(number, int):
            raise BadInput(f"{what}={number!r:.60}: a whole number")
    if items < 0 or not 1 <= grain <= GRAIN_ITEMS_MAX or workers < 1:
        raise BadInput(f"{items} items in parts of {grain} for {workers} workers: a grain is 1 to {GRAIN_ITEMS_MAX:,}")
    count = min(max(math.ceil(items / grain), workers), items)
    if count > GRAPH_RUNS_MAX - 2:
        raise TooLarge(
            f"{items:,} items in parts of {grain} are {counted(count, 'run')}: take a larger grain, or several graphs",
            size=count,
            limit=GRAPH_RUNS_MAX - 2,
        )
    return [items // count + (number < items % count) for number in range(count)] if count else []

"""How many buckets there should be: pure decisions from lateness, the number of nodes, and what is expected.

Splitting is quick and merging is slow: a bucket that is late is cut in halves at the next look, while two are joined
only after all has been calm for long. Between two decisions there is a pause, so that what the last one did is seen
before the next. What is cut in halves comes together in the same halves, so the layout stays a tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from shike.bounds import (
    BUCKETS_PER_NODE_MIN,
    CALM_FOR_SECONDS,
    CALM_SECONDS,
    DECISION_PAUSE_SECONDS,
    EXPECTED_PER_SECOND_MAX,
    LATE_SECONDS,
)
from shike.counted import counted
from shike.scheduler.shares import Range

DECISIONS = "decision/"  # DECISIONS + number: a control row that holds one `Decision`


class Decision(Struct, frozen=True, kw_only=True):
    """A layout and why. The newest one is what all nodes work towards."""

    number: int
    at: int  # UTC µs, by the store's clock
    lows: tuple[int, ...]  # where each bucket begins
    reason: str
    nodes: int  # that were there
    late_ms: dict[int, int] = {}  # of each late bucket, by its lowest virtual bucket
    started_late_ms: dict[int, int] = {}  # the same of its runs, as workers that had room for them saw it
    expected_per_second: dict[int, float] = {}  # the same of what a forecast expects

    def ranges(self, virtual_buckets: int) -> tuple[Range, ...]:
        """The buckets. Empty where the row does not fit this store."""
        if self.lows[:1] != (0,):
            return ()
        ends = [*(low - 1 for low in self.lows[1:]), virtual_buckets - 1]
        ranges = tuple(zip(self.lows, ends, strict=True))
        return ranges if all(low <= high for low, high in ranges) else ()


def packed(decision: Decision) -> bytes:
    return msgspec.json.encode(decision)


def unpacked(value: bytes) -> Decision | None:
    """None: it was written by a program that we do not understand."""
    try:
        return msgspec.json.decode(value, type=Decision)
    except msgspec.MsgspecError:
        return None


class Bounds(Struct, frozen=True, kw_only=True):
    """Between what the number of buckets may move, and how soon."""

    most: int  # virtual buckets
    least: int = 1
    late_ms: int = round(LATE_SECONDS * 1000)
    calm_ms: int = round(CALM_SECONDS * 1000)
    expected_max: float = EXPECTED_PER_SECOND_MAX  # runs a second due in one bucket
    calm_for_seconds: float = CALM_FOR_SECONDS
    pause_seconds: float = DECISION_PAUSE_SECONDS


class Sight(Struct, frozen=True, kw_only=True):
    """What the deciding node sees."""

    wanted: tuple[Range, ...]  # the present layout
    late_ms: Mapping[int, int]  # by the lowest virtual bucket; what is missing is on time
    nodes: int
    seconds_since_last: float  # decision
    calm_seconds: float  # for how long no bucket has been later than `Bounds.calm_ms`
    started_late_ms: Mapping[int, int] = {}  # beyond what a beat makes up for; as `late_ms`
    expected_per_second: Mapping[Range, float] = {}  # by bucket; what is missing is not known

    def lateness(self, one: Range) -> int:
        """Of a bucket, in ms: of reading and planning it, or of its runs."""
        return max(self.late_ms.get(one[0], 0), self.started_late_ms.get(one[0], 0))


def decide(sight: Sight, bounds: Bounds) -> tuple[tuple[Range, ...], str] | None:
    """The next layout and the reason for it; None: let it be."""
    least = fewest(sight.nodes, bounds)
    if len(sight.wanted) < least:
        return _cut_widest(sight.wanted, least), _for_nodes(sight, least)
    if sight.seconds_since_last < bounds.pause_seconds:
        return None
    late = _late(sight, bounds)
    if late:
        return _halved(sight.wanted, late), _for_lateness(sight, late, bounds)
    crowded = _crowded(sight, bounds)
    if crowded:
        return _halved(sight.wanted, crowded), _for_crowds(sight, crowded, bounds)
    if sight.calm_seconds >= bounds.calm_for_seconds:
        merged = _merged(sight, least, bounds)
        if merged != sight.wanted:
            return merged, f"no bucket was later than {bounds.calm_ms} ms for {sight.calm_seconds:.0f} s"
    return None


def fewest(nodes: int, bounds: Bounds) -> int:
    """Enough that each node has its share; a power of two, so that all are of one size when nothing is late."""
    wanted = max(bounds.least, nodes * BUCKETS_PER_NODE_MIN if nodes > 1 else 1)
    return min(1 << (wanted - 1).bit_length(), bounds.most)


def _late(sight: Sight, bounds: Bounds) -> list[Range]:
    """The late buckets that can be cut, the latest first, as many as there may be."""
    late = [one for one in sight.wanted if sight.lateness(one) > bounds.late_ms and one[0] < one[1]]
    late.sort(key=lambda one: (-sight.lateness(one), one))
    return late[: max(bounds.most - len(sight.wanted), 0)]


def _crowded(sight: Sight, bounds: Bounds) -> list[Range]:
    """The buckets that are expected to have more than one can do, the fullest first, as many as there may be."""
    expected = sight.expected_per_second
    crowded = [one for one in sight.wanted if expected.get(one, 0.0) > bounds.expected_max and one[0] < one[1]]
    crowded.sort(key=lambda one: (-expected[one], one))
    return crowded[: max(bounds.most - len(sight.wanted), 0)]


def _halved(wanted: Sequence[Range], late: Sequence[Range]) -> tuple[Range, ...]:
    return tuple(part for one in wanted for part in (_halves(one) if one in late else (one,)))


def _halves(one: Range) -> tuple[Range, ...]:
    low, high = one
    middle = (low + high) // 2
    return ((low, middle), (middle + 1, high))


def _cut_widest(wanted: tuple[Range, ...], least: int) -> tuple[Range, ...]:
    while len(wanted) < least:
        widest = max(wanted, key=lambda one: (one[1] - one[0], -one[0]))
        wanted = _halved(wanted, [widest])
    return wanted


def _merged(sight: Sight, least: int, bounds: Bounds) -> tuple[Range, ...]:
    """Each pair of halves becomes one again, the narrowest first, as long as enough are left; but not where so much
    is expected of the two that they would soon be halves again."""
    wanted, expected = sight.wanted, sight.expected_per_second
    left = list(wanted)
    widths = sorted({high - low + 1 for low, high in wanted})
    pairs = [(low, low + 2 * width - 1) for width in widths for low, high in wanted if _is_first(low, high, width)]
    for whole in pairs:
        halves = _halves(whole)
        due = sum(expected.get(half, 0.0) for half in halves)
        if (
            len(left) > least
            and due <= bounds.expected_max / 2
            and all(half in wanted and half in left for half in halves)
        ):
            place = left.index(halves[0])
            left[place : place + 2] = [whole]
    return tuple(left)


def _is_first(low: int, high: int, width: int) -> bool:
    """Whether it is the first half of something twice as wide."""
    return high - low + 1 == width and low % (2 * width) == 0


def _for_nodes(sight: Sight, least: int) -> str:
    return f"{counted(sight.nodes, 'node')} and only {counted(len(sight.wanted), 'bucket')}; {least} are the fewest"


def _for_lateness(sight: Sight, late: Sequence[Range], bounds: Bounds) -> str:
    ms = sight.lateness(late[0])
    if sight.late_ms.get(late[0][0], 0) == ms:
        return f"{_named(late)} was {ms} ms late, more than {bounds.late_ms}"
    return f"runs of {_named(late)} began {ms} ms late, more than {bounds.late_ms}, where a worker had room for them"


def _for_crowds(sight: Sight, crowded: Sequence[Range], bounds: Bounds) -> str:
    expected = sight.expected_per_second[crowded[0]]
    return (
        f"{_named(crowded)} is expected to have {expected:,.0f} runs a second due, more than {bounds.expected_max:,.0f}"
    )


def _named(buckets: Sequence[Range]) -> str:
    low, high = buckets[0]
    return f"bucket {low}-{high}" + (f" and {len(buckets) - 1} more" if len(buckets) > 1 else "")

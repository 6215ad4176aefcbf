"""What a division makes of buckets: pure decisions, the same for every store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from shike.errors import BadInput, Conflict
from shike.model import Bucket, Session, SessionState
from shike.store.verbs import Division

Known = Callable[[str], Session | None]  # a session by its identity, as the store has it


def bounds(division: Division, virtual_buckets: int) -> tuple[int, int]:
    """The first and the last virtual bucket that are divided anew.

    Raises `BadInput` for ranges with gaps, overlaps or nothing in them, or outside of the store.
    """
    old, new = division.old, division.new
    if not old or not new:
        raise BadInput("a division needs at least one old bucket and one new range")
    first, last = new[0][0], new[-1][1]
    ordered = all(low <= high for low, high in new) and all(
        after[0] == before[1] + 1 for before, after in pairwise(new)
    )
    rising = all(before[0] < after[0] for before, after in pairwise(old))
    inside = 0 <= first <= old[0][0] and old[-1][0] <= last < virtual_buckets
    if not (ordered and rising and inside and first == old[0][0]):
        raise BadInput(f"new ranges {_spelt(new)} do not lie side by side over the old buckets at {_lows(old)}")
    return first, last


def divided(division: Division, found: Sequence[Bucket], known: Known) -> list[Bucket]:
    """The buckets as they become. `found`: all that have a virtual bucket within `bounds`, in order.

    Raises `Conflict` where something is not as the caller saw it, or is another's.
    """
    epoch = max(epoch for _, epoch in division.old) + 1
    wanted = [Bucket(low=low, high=high, owner=division.owner, epoch=epoch) for low, high in division.new]
    if list(found) == wanted:  # these very words were heard before
        return wanted
    if [(bucket.low, bucket.epoch) for bucket in found] != list(division.old) or found[-1].high != wanted[-1].high:
        raise Conflict(f"buckets {_seen(found)} are not as they were seen: {_spelt(division.old)} as (low, epoch)")
    for bucket in found:
        if not _may_take(bucket, division, known):
            raise Conflict(f"bucket {bucket.low}-{bucket.high} is {bucket.owner}'s in epoch {bucket.epoch}")
    if division.owner not in ("", division.session) and _is_gone(known(division.owner)):
        raise Conflict(f"session {division.owner} is closed; what is given to it would be nobody's")
    return wanted


def _may_take(bucket: Bucket, division: Division, known: Known) -> bool:
    if bucket.owner in ("", division.session):
        return True
    owner = known(bucket.owner)
    return owner is None or _is_gone(owner) or (owner.id, owner.beat) in division.silent


def _is_gone(session: Session | None) -> bool:
    return session is None or session.state is SessionState.CLOSED


def _spelt(pairs: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{one}-{other}" for one, other in pairs)


def _lows(old: Sequence[tuple[int, int]]) -> str:
    return ", ".join(str(low) for low, _ in old)


def _seen(found: Sequence[Bucket]) -> str:
    return ", ".join(
        f"{bucket.low}-{bucket.high} (epoch {bucket.epoch}, {bucket.owner or 'nobody'})" for bucket in found
    )

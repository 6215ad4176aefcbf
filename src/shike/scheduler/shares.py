"""Who should own which buckets, and what one node does about it: pure decisions.

Every node works the shares out for itself from what it reads in the store. As all read the same and the rule has no
dice, they agree without talking; where one has read something older, its word is refused by the epoch. A layout that
is even already is left as it is, so nothing swings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from shike.model import Bucket
from shike.store.verbs import Division

Range = tuple[int, int]  # low, high


class View(Struct, frozen=True, kw_only=True):
    """What one node knows."""

    own: str  # its session
    nodes: tuple[str, ...]  # the sessions of all living nodes, its own too, in an order all agree on
    buckets: tuple[Bucket, ...]  # as they are, by range
    wanted: tuple[Range, ...]  # as they should be
    silent: tuple[tuple[str, int], ...] = ()


def shares(view: View) -> dict[Range, str]:
    """Who each wanted range belongs to: evenly (no node has two more than another), with as few changes as may be.

    Whoever has the first virtual bucket of a range counts as its holder. Those who hold most get the larger shares.
    """
    held: dict[str, list[Range]] = {node: [] for node in view.nodes}
    loose: list[Range] = []
    for wanted in view.wanted:
        held.get(_holder(view.buckets, wanted), loose).append(wanted)
    if not held:
        return {}
    least, larger = divmod(len(view.wanted), len(held))
    order = sorted(held, key=lambda node: -len(held[node]))  # stable: ties as in view.nodes
    quota = {node: least + (place < larger) for place, node in enumerate(order)}
    owners: dict[Range, str] = {}
    for node in view.nodes:
        owners |= dict.fromkeys(held[node][: quota[node]], node)
        loose += held[node][quota[node] :]
    needy = (node for node in view.nodes for _ in range(quota[node] - len(held[node])))
    return owners | dict(zip(sorted(loose), needy, strict=True))


def deeds(view: View) -> list[Division]:
    """What this node does next to come nearer to the shares; nothing, when they are as they should be.

    It takes what is its share and nobody's, gives away what is another's share, cuts its own buckets where they are
    to be split, and joins those that are to be one once it has all the parts.
    """
    owners = shares(view)
    found: list[Division] = []
    for bucket in view.buckets:
        cuts = _cut(bucket, view.wanted)
        if len(cuts) > 1 and (_mine(view, bucket) or (_free(view, bucket) and _owner(owners, cuts[0]) == view.own)):
            found.append(_division(view, [bucket], cuts, view.own))
    for wanted, owner in owners.items():
        found += _gather(view, wanted, owner)
    return _together(view, sorted(found, key=lambda division: division.old[0][0]))


def _gather(view: View, wanted: Range, owner: str) -> Iterator[Division]:
    """One wanted range whose parts lie within it: ours to have, or to give away."""
    parts = [bucket for bucket in view.buckets if wanted[0] <= bucket.low and bucket.high <= wanted[1]]
    if not parts or (parts[0].low, parts[-1].high) != wanted:
        return  # a larger one has to be cut first
    if owner != view.own:
        for bucket in parts:
            if _mine(view, bucket):
                yield _division(view, [bucket], [(bucket.low, bucket.high)], owner)
        return
    done = len(parts) == 1 and _mine(view, parts[0])
    if not done and all(_mine(view, bucket) or _free(view, bucket) for bucket in parts):
        yield _division(view, parts, [wanted], owner)


def _together(view: View, found: Sequence[Division]) -> list[Division]:
    """Neighbours that go to the same owner, in one word each."""
    joined: list[Division] = []
    for division in found:
        last = joined[-1] if joined else None
        if last is not None and last.owner == division.owner and last.new[-1][1] + 1 == division.new[0][0]:
            joined[-1] = Division(
                session=view.own,
                owner=last.owner,
                old=last.old + division.old,
                new=last.new + division.new,
                silent=view.silent,
            )
        else:
            joined.append(division)
    return joined


def _division(view: View, old: Sequence[Bucket], new: Sequence[Range], owner: str) -> Division:
    seen = tuple((bucket.low, bucket.epoch) for bucket in old)
    return Division(session=view.own, owner=owner, old=seen, new=tuple(new), silent=view.silent)


def _cut(bucket: Bucket, wanted: Sequence[Range]) -> list[Range]:
    """The bucket, cut wherever a wanted range begins inside it."""
    starts = [bucket.low, *(low for low, _ in wanted if bucket.low < low <= bucket.high), bucket.high + 1]
    return [(low, after - 1) for low, after in pairwise(starts)]


def _owner(owners: Mapping[Range, str], cut: Range) -> str:
    return next((owner for wanted, owner in owners.items() if wanted[0] <= cut[0] <= wanted[1]), "")


def _holder(buckets: Sequence[Bucket], wanted: Range) -> str:
    return next((bucket.owner for bucket in buckets if bucket.low <= wanted[0] <= bucket.high), "")


def _mine(view: View, bucket: Bucket) -> bool:
    return bucket.owner == view.own


def _free(view: View, bucket: Bucket) -> bool:
    return bucket.owner not in view.nodes

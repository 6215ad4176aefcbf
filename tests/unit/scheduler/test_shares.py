"""Who should own which buckets: evenly, with few changes, and in steps that lose no virtual bucket."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shike.model import Bucket, Session
from shike.scheduler.shares import Range, View, deeds, shares
from shike.store.dividing import bounds, divided

V = 64
NODES = ("a", "b", "c", "d", "e")


def ranges(*lows: int) -> tuple[Range, ...]:
    return tuple((low, after - 1) for low, after in pairwise([*lows, V]))


def layout(owners: dict[int, str]) -> tuple[Bucket, ...]:
    parts = ranges(*sorted(owners))
    return tuple(Bucket(low=low, high=high, owner=owners[low], epoch=1) for low, high in parts)


def view(own: str, nodes: tuple[str, ...], buckets: tuple[Bucket, ...], wanted: tuple[Range, ...] = ()) -> View:
    wanted = wanted or tuple((bucket.low, bucket.high) for bucket in buckets)
    return View(own=own, nodes=nodes, buckets=buckets, wanted=wanted)


def session(identity: str) -> Session:
    return Session(id=identity, number=1, name="", kind="node", host="", pid=1, started_at=1, expires_at=1)


def apply(buckets: tuple[Bucket, ...], one: View) -> tuple[Bucket, ...]:
    """What the store makes of this node's deeds; all of them must be granted."""
    for division in deeds(one):
        low, high = bounds(division, V)
        found = [bucket for bucket in buckets if low <= bucket.low <= high]
        new = divided(division, found, lambda identity: session(identity) if identity in one.nodes else None)
        others = [bucket for bucket in buckets if bucket not in found]
        buckets = tuple(sorted([*others, *new], key=lambda bucket: bucket.low))
    assert [at for one in buckets for at in range(one.low, one.high + 1)] == list(range(V))
    return buckets


def settle(
    buckets: tuple[Bucket, ...], nodes: tuple[str, ...], wanted: tuple[Range, ...]
) -> tuple[tuple[Bucket, ...], int]:
    """Every node does its deeds in turn, until nobody has anything to do; and how many rounds it took."""
    for rounds in range(10):
        before = buckets
        for node in nodes:
            buckets = apply(buckets, view(node, nodes, buckets, wanted))
        if buckets == before:
            return buckets, rounds
    raise AssertionError("they go on and on")


def held(buckets: tuple[Bucket, ...]) -> Counter[str]:
    return Counter(bucket.owner for bucket in buckets)


def test_a_node_alone_takes_everything_in_one_word() -> None:
    (division,) = deeds(view("a", ("a",), layout({0: "", 16: "", 32: "", 48: ""})))
    assert division.new == ranges(0, 16, 32, 48)


def test_who_joins_gets_an_even_share_and_the_others_keep_theirs() -> None:
    before = layout(dict.fromkeys(range(0, V, 8), "a"))
    after, _ = settle(before, ("a", "b", "c"), ranges(*range(0, V, 8)))
    assert sorted(held(after).values()) == [2, 3, 3]
    assert all(bucket.owner == "a" for bucket in after[:3]), "no more moves than must"


def test_what_a_dead_node_had_is_shared_evenly_among_the_living() -> None:
    before = layout({low: "abcd"[low // 16] for low in range(0, V, 4)})
    after, rounds = settle(before, ("a", "b", "d"), ranges(*range(0, V, 4)))
    assert sorted(held(after).values()) == [5, 5, 6] and rounds == 1
    kept = [new for old, new in zip(before, after, strict=True) if old.owner != "c"]
    assert all(new.epoch == 1 for new in kept), "what the living had stays theirs, in the same epoch"


def test_a_bucket_is_only_taken_by_whose_share_it_is() -> None:
    """Else all would grab at what is free, and all but one would be refused."""
    before = layout(dict.fromkeys(range(0, V, 8), ""))
    takers = [deeds(view(node, NODES[:4], before)) for node in NODES[:4]]
    taken = [low for divisions in takers for division in divisions for low, _ in division.old]
    assert sorted(taken) == list(range(0, V, 8))


def test_an_even_layout_is_left_alone() -> None:
    even = layout({0: "b", 16: "a", 32: "b", 48: "a"})
    assert all(deeds(view(node, ("a", "b"), even)) == [] for node in "ab")


def test_a_split_is_its_owners_and_a_merge_waits_for_all_parts() -> None:
    whole = layout({0: "a"})
    (split,) = deeds(view("a", ("a", "b"), whole, ranges(0, 32)))
    assert split.new == ((0, 31), (32, 63)) and split.owner == "a"
    assert deeds(view("b", ("a", "b"), whole, ranges(0, 32))) == []
    parts = layout({0: "a", 32: "b"})
    (gift,) = deeds(view("b", ("a", "b"), parts, ranges(0)))
    assert (gift.owner, gift.new) == ("a", ((32, 63),))
    assert deeds(view("a", ("a", "b"), parts, ranges(0))) == [], "not before b has given its part"


some_lows = st.lists(st.sampled_from(range(1, V)), unique=True, max_size=20).map(lambda lows: [0, *sorted(lows)])


@given(
    lows=some_lows,
    wanted=some_lows,
    owners=st.lists(st.sampled_from(["", *NODES, "dead"]), min_size=21, max_size=21),
    nodes=st.lists(st.sampled_from(NODES), unique=True, min_size=1),
)
def test_from_any_layout_to_any_other_in_a_few_rounds(
    lows: list[int], wanted: list[int], owners: list[str], nodes: list[str]
) -> None:
    """Whoever owned what: after some rounds every wanted range is one bucket, evenly owned, and then all rest."""
    before = layout(dict(zip(lows, owners, strict=False)))
    after, _ = settle(before, tuple(nodes), ranges(*wanted))
    assert tuple((bucket.low, bucket.high) for bucket in after) == ranges(*wanted)
    counts = [held(after)[node] for node in nodes]
    assert max(counts) - min(counts) <= 1 and sum(counts) == len(after)


@given(lows=some_lows, owners=st.lists(st.sampled_from(["", *NODES]), min_size=21, max_size=21))
def test_all_nodes_agree_on_the_shares(lows: list[int], owners: list[str]) -> None:
    buckets = layout(dict(zip(lows, owners, strict=False)))
    assert len({tuple(shares(view(node, NODES, buckets)).items()) for node in NODES}) == 1

"""R0.14: consistent hashing is even, and moves few keys when somebody leaves."""

from __future__ import annotations

from collections import Counter
from random import Random

from shike.route.fitness import Field
from shike.route.strategies.consistent_hash import ConsistentHash
from tests.unit.route.fleet import ask, worker

WORKERS, KEYS = 100, 100_000
FLEET = [worker(number) for number in range(1, WORKERS + 1)]


def owners(fleet: list, keys: int = KEYS) -> list[str]:  # type: ignore[type-arg]
    strategy, field = ConsistentHash(Random(0).random), Field(fleet)
    return [fleet[strategy.choose(ask(key=f"key-{key}"), field).place].name for key in range(keys)]


def test_a_hundred_workers_get_even_shares_and_one_that_leaves_moves_no_more_than_its_own() -> None:
    """Goals: max/mean ≤ 1.15; at most 1.2/n of the keys move, and only those of the one that left."""
    before = owners(FLEET)
    assert max(Counter(before).values()) / (KEYS / WORKERS) <= 1.15
    gone = FLEET[41]
    after = owners([one for one in FLEET if one is not gone])
    moved = [old for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {gone.name}
    assert len(moved) <= 1.2 / WORKERS * KEYS


def test_the_ring_is_built_anew_only_when_membership_changes() -> None:
    strategy = ConsistentHash(Random(0).random)
    for turn in range(5):
        loaded = [worker(number, busy=turn) for number in range(1, 4)]
        strategy.choose(ask(key=f"k{turn}"), Field(loaded))
    assert strategy.ring.rebuilt == 1
    strategy.choose(ask(), Field(FLEET[:2]))
    assert strategy.ring.rebuilt == 2


def test_a_worker_that_starts_again_under_its_name_keeps_its_keys() -> None:
    again = [worker(one.number + 500, name=one.name) for one in FLEET[:5]]
    assert owners(FLEET[:5], 500) == owners(again, 500)


def test_workers_of_one_name_share_the_keys_between_them() -> None:
    twins = [worker(1, name="w"), worker(2, name="w")]
    strategy, field = ConsistentHash(Random(0).random), Field(twins)
    places = Counter(strategy.choose(ask(key=str(key)), field).place for key in range(1000))
    assert min(places.values()) > 350

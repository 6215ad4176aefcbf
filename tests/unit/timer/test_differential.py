"""All structures side by side on random operations. `make timers` does a million."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.unit.timer.differential import BUILDS_ALONE, PENDING_MAX_BUILDS, compare

from shike.timer.b_plus_tree import BPlusTree
from shike.timer.skip_list import SkipList
from shike.timer.table import Entry
from shike.timer.wheel import KeyHeap, Wheel


@pytest.mark.parametrize(
    ("operations", "seed"), [(8_000, 1), *(pytest.param(60_000, seed, marks=pytest.mark.slow) for seed in (2, 3, 4))]
)
def test_all_structures_give_the_same_answers(operations: int, seed: int) -> None:
    assert compare(operations, seed) > operations // 3


@pytest.mark.parametrize(
    ("operations", "seed"), [(8_000, 1), *(pytest.param(100_000, seed, marks=pytest.mark.slow) for seed in (2, 3))]
)
def test_all_builds_give_the_same_answers_when_much_is_pending(operations: int, seed: int) -> None:
    assert compare(operations, seed, BUILDS_ALONE, PENDING_MAX_BUILDS) > operations


def no_lane_above(self: SkipList[int], entry: Entry) -> None:
    node = self._head.lanes[0]
    while node is not None and node.lanes[0] is not None and node.lanes[0].key != entry.key:
        node = node.lanes[0]
    if node is not None and node.lanes[0] is not None:
        node.lanes[0] = node.lanes[0].lanes[0]


def ahead_though_it_is_late(self: Wheel[int], entry: Entry) -> None:
    self._file(entry.key[0] // self.tick, entry)


@pytest.mark.parametrize(
    ("owner", "name", "bug"),
    [
        (BPlusTree, "_mend", lambda self, node, path: None),
        (SkipList, "_remove", no_lane_above),
        (Wheel, "_put", ahead_though_it_is_late),
        (KeyHeap, "push_many", lambda self, keys: self.keys.extend(keys)),
    ],
)
def test_a_planted_bug_is_seen(
    owner: type, name: str, bug: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, bug)
    with pytest.raises((AssertionError, KeyError, IndexError)):
        compare(20_000, 1)

"""The decider believes what living nodes tell, writes down what it decides, and leaves it to the owner of the first
virtual bucket."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from shike.bounds import BUCKET_LEASE_SECONDS, DECISIONS_KEPT, NODE_LOOK_SECONDS
from shike.clock import ManualClock
from shike.model import Bucket, Load, Session
from shike.scheduler.decider import Decider
from shike.scheduler.decision import DECISIONS, Bounds, unpacked
from shike.scheduler.peers import Peers
from shike.store.memory import MemoryStore
from tests import bounded
from tests.unit.scheduler.test_peers import node

LATE_MS = 60_000  # more than anything is allowed
WANTED = ((0, 63), (64, 127), (128, 191), (192, 255))  # as many as two nodes need


class Story:
    """One node, `n1`, that decides about four buckets of 256; what the others told is in their beats."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock, virtual_buckets=256)
        self.own = Load()
        self.peers = Peers(self.store, self.clock)
        self.is_ours = True
        self.looked = 0
        self.buckets: Any = SimpleNamespace(
            peers=self.peers,
            wanted=WANTED,
            decision=None,
            holder_of=lambda at: Bucket(low=0, high=63, owner="n1", epoch=1) if self.is_ours else None,
            look=self._look,
        )
        member: Any = SimpleNamespace(
            session=node(1), load=lambda: msgspec.json.encode(self.own), store_now=self.clock.wall
        )
        self.decider = Decider(self.store, member, self.clock, self.buckets, least=2)

    def _look(self) -> None:
        self.looked += 1

    def hear(self, *nodes: Session, seconds: float = NODE_LOOK_SECONDS) -> None:
        for _ in range(round(seconds / NODE_LOOK_SECONDS)):
            self.clock.advance(NODE_LOOK_SECONDS)
            self.peers.note(nodes)

    async def decided(self) -> list[tuple[int, ...]]:
        """The lows of all decisions so far, after one look more."""
        await self.decider._look()
        rows = await self.store.controls(DECISIONS)
        return [decision.lows for row in rows if (decision := unpacked(row.value)) is not None]


def told(number: int, **load: Any) -> Session:
    return node(number, load=msgspec.json.encode(Load(**load)))


def test_a_bucket_that_another_node_tells_to_be_late_is_split() -> None:
    async def main() -> None:
        story = Story()
        story.hear(node(1), told(2, late_ms={128: LATE_MS}))
        assert await story.decided() == [(0, 64, 128, 160, 192)] and story.looked == 1

    bounded.run(main())


@pytest.mark.parametrize("kind", ["late_ms", "started_late_ms"])
def test_what_a_node_told_before_it_fell_silent_splits_nothing(kind: str) -> None:
    async def main() -> None:
        story = Story()
        story.hear(node(1), told(2, **{kind: {128: LATE_MS}}), seconds=BUCKET_LEASE_SECONDS + 2 * NODE_LOOK_SECONDS)
        assert await story.decided() == []

    bounded.run(main())


def test_what_we_know_ourselves_is_newer_than_what_the_store_has_of_us() -> None:
    async def main() -> None:
        story = Story()
        story.hear(told(1, late_ms={0: LATE_MS}), node(2))
        assert await story.decided() == []
        story.own = Load(late_ms={0: LATE_MS})
        assert len(await story.decided()) == 1

    bounded.run(main())


def test_who_does_not_own_the_first_virtual_bucket_decides_nothing() -> None:
    async def main() -> None:
        story = Story()
        story.is_ours = False
        story.hear(node(1), told(2, late_ms={128: LATE_MS}))
        assert await story.decided() == []

    bounded.run(main())


def test_of_two_who_decide_at_once_one_finds_the_number_taken() -> None:
    async def main() -> None:
        story = Story()
        story.hear(node(1), told(2, late_ms={128: LATE_MS}))
        controls = story.store.controls

        async def before_the_other(prefix: str) -> Any:
            found = await controls(prefix)
            await story.store.put(f"{DECISIONS}{1:09}", b"{}", expect=0)
            return found

        story.store.controls = before_the_other  # type: ignore[method-assign]
        await story.decider._look()
        story.store.controls = controls  # type: ignore[method-assign]
        (row,) = await controls(DECISIONS)
        assert row.value == b"{}" and story.looked == 1

    bounded.run(main())


def test_only_the_latest_decisions_are_kept() -> None:
    async def main() -> None:
        story = Story()
        for number in range(1, DECISIONS_KEPT + 1):
            await story.store.put(f"{DECISIONS}{number:09}", b"{}", expect=0)
        story.hear(node(1), told(2, late_ms={128: LATE_MS}))
        await story.decider._look()
        rows = await story.store.controls(DECISIONS)
        assert len(rows) == DECISIONS_KEPT
        assert [rows[at].key for at in (0, -1)] == [f"{DECISIONS}{at:09}" for at in (2, DECISIONS_KEPT + 1)]

    bounded.run(main())


def test_a_calm_that_somebody_is_late_in_begins_anew() -> None:
    story = Story()
    bounds = Bounds(most=256, least=2)
    story.clock.advance(50)
    assert story.decider._sight({}, {}, {}).calm_seconds == 50
    assert story.decider._is_due([bounds.calm_ms])
    assert story.decider._sight({}, {}, {}).calm_seconds == 50
    assert story.decider._is_due([bounds.calm_ms + 1])
    assert story.decider._sight({}, {}, {}).calm_seconds == 0

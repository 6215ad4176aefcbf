"""Nodes and their buckets, and the decisions that made them so many."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shike.clock import to_datetime
from shike.model import Session
from shike.scheduler.decision import DECISIONS, unpacked
from shike.scheduler.peers import NODE_KINDS, load_of
from shike.store.base import Store


class BucketFacts(Struct, frozen=True, kw_only=True):
    """One bucket: a range of virtual buckets."""

    low: int
    high: int
    epoch: int
    late_ms: int = 0  # the worst of the last seconds


class NodeFacts(Struct, frozen=True, kw_only=True):
    """One node and what it looks after. Without a name: nobody does, for the moment."""

    name: str
    session: str
    kind: str
    host: str
    pid: int
    since: datetime | None
    buckets: list[BucketFacts]

    @property
    def late_ms(self) -> int:
        return max((bucket.late_ms for bucket in self.buckets), default=0)


class DecisionFacts(Struct, frozen=True, kw_only=True):
    """Why there are so many buckets."""

    number: int
    at: datetime
    buckets: int
    nodes: int
    reason: str
    late_ms: dict[int, int]


async def listing(store: Store) -> list[NodeFacts]:
    """All nodes that are there, in the order in which they came; last, what is nobody's."""
    sessions = sorted((one for one in await store.sessions() if one.kind in NODE_KINDS), key=lambda one: one.number)
    buckets = await store.buckets()
    found = []
    for session in sessions:
        late_ms = load_of(session).late_ms
        mine = [
            BucketFacts(low=one.low, high=one.high, epoch=one.epoch, late_ms=late_ms.get(one.low, 0))
            for one in buckets
            if one.owner == session.id
        ]
        found.append(_facts(session, mine))
    known = {session.id for session in sessions}
    loose = [BucketFacts(low=one.low, high=one.high, epoch=one.epoch) for one in buckets if one.owner not in known]
    nobody = NodeFacts(name="", session="", kind="", host="", pid=0, since=None, buckets=loose)
    return [*found, nobody] if loose else found


def _facts(session: Session, buckets: list[BucketFacts]) -> NodeFacts:
    return NodeFacts(
        name=session.name,
        session=session.id,
        kind=session.kind,
        host=session.host,
        pid=session.pid,
        since=to_datetime(session.started_at),
        buckets=buckets,
    )


def shortened(node: NodeFacts) -> NodeFacts:
    """With the beginning of its session's identity only: who knows all of it could speak for that session."""
    return replace(node, session=node.session[:8])


async def decisions(store: Store) -> list[DecisionFacts]:
    """The last decisions about buckets, newest first."""
    read = [unpacked(row.value) for row in await store.controls(DECISIONS)]
    return [
        DecisionFacts(
            number=one.number,
            at=to_datetime(one.at),
            buckets=len(one.lows),
            nodes=one.nodes,
            reason=one.reason,
            late_ms=one.late_ms,
        )
        for one in reversed(read)
        if one is not None
    ]

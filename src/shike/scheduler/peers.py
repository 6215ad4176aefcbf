"""The other nodes, as their beats tell: who is there, and who has fallen silent.

No clock but our own decides: a node is silent when we have looked for as long as its buckets are its own, and its
beat was the same all the while. What we take from it then, the store grants only if it is the same still. One that
comes back from silence is given nothing until it has been heard for a while: it may be heard and not hear.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from math import inf

import msgspec
from msgspec import Struct

from shike.bounds import LEASE_SECONDS, NODE_LOOK_SECONDS
from shike.clock import Clock
from shike.model import Load, Session
from shike.session import bucket_lease
from shike.store.base import Store

NODE_KINDS = frozenset({"node", "all"})
WORKER_KIND = "worker"
NEWS_SECONDS = 2.5  # a beat is news for so long
HEARD_SECONDS = 10.0  # after a silence, before a node is given something again

_load = msgspec.json.Decoder(Load)


def load_of(session: Session) -> Load:
    """What a session told with its last beat; nothing, where that cannot be read."""
    return read_load(session.load)


def read_load(load: bytes) -> Load:
    """What was told; nothing, where that cannot be read."""
    try:
        return _load.decode(load) if load else Load()
    except msgspec.MsgspecError:
        return Load()


class Seen(Struct):
    """What we saw of one node, on our monotonic clock."""

    beat: int
    since: float  # when we first saw that beat
    heard_since: float  # of all the time since then it was never silent; −∞: it never was


class Peers:
    """All nodes of a store, ourselves among them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seen: dict[str, Seen] = {}
        self._looked_at = clock.monotonic()
        self._workers: dict[str, tuple[Session, float]] = {}  # and when we first saw that beat
        self.nodes: list[Session] = []  # by number, living or silent

    def note(self, sessions: Sequence[Session]) -> None:
        """What a look at all open sessions found."""
        moment = self._clock.monotonic()
        blind = max(moment - self._looked_at - 2 * NODE_LOOK_SECONDS, 0.0)  # for so long we heard nobody
        self._looked_at = moment
        before, self._seen = self._seen, {}
        for node in self.nodes:
            if node.id in before:
                before[node.id].since += blind
                if self._is_silent(node, before[node.id]):
                    before[node.id].heard_since = moment
        self.nodes = sorted((one for one in sessions if one.kind in NODE_KINDS), key=lambda one: one.number)
        for node in self.nodes:
            seen = self._seen[node.id] = before.get(node.id) or Seen(node.beat, moment, -inf)
            if seen.beat != node.beat:
                seen.beat, seen.since = node.beat, moment
        self._note_workers(sessions, moment)

    def _note_workers(self, sessions: Sequence[Session], moment: float) -> None:
        before = self._workers
        self._workers = {}
        for one in sessions:
            if one.kind == WORKER_KIND:
                known = before.get(one.id)
                self._workers[one.id] = known if known and known[0].beat == one.beat else (one, moment)

    def tellers(self) -> list[Session]:
        """The workers whose last beat is news: what they told with it holds now."""
        since = self._clock.monotonic() - NEWS_SECONDS
        return [session for session, seen_at in self._workers.values() if seen_at >= since]

    def alive(self, own: str, owners: Container[str] = ()) -> tuple[str, ...]:
        """The identities of all nodes that can have a share, in an order that every node agrees on: ourselves, and
        whoever is not silent and either owns something or has been heard for long enough."""
        return tuple(node.id for node in self.nodes if node.id == own or self._can_have(node, owners))

    def silent(self, own: str) -> tuple[tuple[str, int], ...]:
        """(identity, last beat) of the others that are."""
        return tuple(
            (node.id, node.beat) for node in self.nodes if node.id != own and self._is_silent(node, self._seen[node.id])
        )

    def _can_have(self, node: Session, owners: Container[str]) -> bool:
        seen = self._seen[node.id]
        heard = self._clock.monotonic() - seen.heard_since >= HEARD_SECONDS or node.id in owners
        return heard and not self._is_silent(node, seen)

    def _is_silent(self, node: Session, seen: Seen) -> bool:
        if self._store.is_gone(node.id):
            return True
        told = load_of(node).bucket_lease_seconds
        return self._clock.monotonic() - seen.since >= max(told, bucket_lease(node.lease_seconds or LEASE_SECONDS))

"""Which buckets this node looks after: taken, given away, split and merged by one verb, on their epochs.

A bucket is a node's by lease: for as long after its last beat as that beat told (`shike.session.bucket_lease`). The
owner stops by its own boot clock, counted from before the beat was sent; others take the bucket only after they have
seen no beat for as long. So no two nodes believe that they own one bucket; were they to, the epoch that every write
carries would let only the newer one through.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from shike.bounds import NODE_LOOK_SECONDS, SLEEP_SECONDS_MAX, SWEEP_SECONDS
from shike.clock import Clock
from shike.errors import Conflict, StoreError
from shike.model import Bucket
from shike.outage import Outage
from shike.runtime import woken
from shike.scheduler.decision import DECISIONS, Decision, unpacked
from shike.scheduler.peers import Peers
from shike.scheduler.shares import Range, View, deeds
from shike.session import Member
from shike.store.base import Store
from shike.store.hints import Hint, HintKind
from shike.store.verbs import BeatReply, Division

log = logging.getLogger("shike.scheduler")

REREAD_SECONDS = 2.5  # how often buckets are read again where no hint and no beat tells of a change
AGAIN_SECONDS = 0.02  # between two steps towards the shares: a split, then a gift
HAND_OVER_SECONDS = 2.0  # a node that stops waits no longer for its gifts to be taken down


class Buckets:
    """The buckets in hand, and the role that keeps them as they should be.

    Alone, a node that owns everything asks nothing. Among others it looks at their beats each NODE_LOOK_SECONDS.
    """

    def __init__(self, store: Store, member: Member, clock: Clock, changed: Callable[[], None]) -> None:
        self._store = store
        self._member = member
        self._clock = clock
        self._changed = changed
        self._look = asyncio.Event()
        self._outage = Outage(log, "looking after buckets")
        self._confirmed_at = 0.0  # on the boot clock: when the look was sent that `owned` stands on
        self._read_at = float("-inf")
        self._alive: tuple[str, ...] = ()
        self._buckets: list[Bucket] = []
        self._given: dict[int, int] = {}  # lowest virtual bucket → epoch of gifts whose answer is not known
        self.peers = Peers(store, clock)
        self.owned: dict[int, Bucket] = {}  # by their lowest virtual bucket; for what may be done with them: `in_hand`
        self.decision: Decision | None = None  # the newest
        member.on_lost.append(self._lost)
        member.on_joined.append(self.look)
        member.on_reply.append(self._heard)

    @property
    def wanted(self) -> tuple[Range, ...]:
        """The layout that all nodes work towards: the newest decision's, or as things are."""
        decided = self.decision.ranges(self._store.virtual_buckets) if self.decision is not None else ()
        return decided or tuple((bucket.low, bucket.high) for bucket in self._buckets)

    def in_hand(self) -> list[Bucket]:
        """The buckets that this node may plan for at this instant; none while it cannot be sure that they are its."""
        return list(self.owned.values()) if self._member.owning(self._confirmed_at) else []

    def holder_of(self, virtual_bucket: int) -> Bucket | None:
        """The bucket in hand that this virtual bucket belongs to."""
        return next((one for one in self.in_hand() if one.low <= virtual_bucket <= one.high), None)

    def is_unsure_of(self, virtual_bucket: int) -> bool:
        """Whether this virtual bucket was ours when we last knew, and may be so again: no word of it is to be lost."""
        mine = any(one.low <= virtual_bucket <= one.high for one in self.owned.values())
        return mine and not self._member.owning(self._confirmed_at)

    def doubt(self) -> None:
        """A write was refused for its epoch: look again who owns what."""
        self.owned.clear()
        self.look()

    def look(self) -> None:
        """Look at once, at everything."""
        self._read_at = float("-inf")
        self._look.set()

    def hinted(self, hint: Hint) -> None:
        """Buckets changed, or somebody joined who may want a share."""
        joined = hint.kind is HintKind.SESSION and self._store.virtual_buckets > 1 and hint.name != self._own()
        if hint.kind is HintKind.BUCKET or joined:
            self.look()

    async def run(self) -> None:
        """The role."""
        while True:
            self._look.clear()
            try:
                pause = await self._round()
                self._outage.over()
            except StoreError as error:
                pause = self._outage.pause(error)
            await woken(self._look, pause)

    async def hand_over(self) -> None:
        """This node is about to stop: the others have its share before it is gone. Fails silently; they would take it
        anyway, when its session is closed."""
        own = self._own()
        others = tuple(node for node in self._living() if node != own)
        if not (own and others and self.owned):
            return
        try:
            async with asyncio.timeout(HAND_OVER_SECONDS):
                await self._read_buckets()
                for _ in ("cut", "give"):
                    for division in deeds(self._view(others)):
                        await self._divide(division)
            self._store.tell(Hint(HintKind.BUCKET))
        except (StoreError, TimeoutError) as error:
            log.warning("could not hand the buckets over: %s", error or "no answer in time")
        self.owned.clear()

    # ---------------------------------------------------------------- one look

    async def _round(self) -> float | None:
        """Look, and do what there is to do; how long to rest."""
        session = self._member.session
        if session is None:
            return SLEEP_SECONDS_MAX / 4
        self.peers.note(await self._store.sessions())
        if self._is_old() or self._living() != self._alive:
            await self._read_buckets()
        alive = self._alive = self._living()
        done = 0
        if session.id in alive:
            for division in self._with_renewals(deeds(self._view(alive)), session.id):
                done += await self._divide(division)
        if self._member.session is not session:
            return 0.0
        self._adopt()
        if done:
            self._store.tell(Hint(HintKind.BUCKET))
            return AGAIN_SECONDS
        return self._rest()

    def _living(self) -> tuple[str, ...]:
        """The nodes that can have a share."""
        return self.peers.alive(self._own(), {bucket.owner for bucket in self._buckets})

    def _is_old(self) -> bool:
        return (
            self._clock.monotonic() - self._read_at >= REREAD_SECONDS
            or not self._member.owning(self._confirmed_at)
            or not self._buckets
        )

    async def _read_buckets(self) -> None:
        """What is read is adopted in the same instant: were it only confirmed, a node that slept past its lease would
        believe again in what others have taken since."""
        sent, read_at = self._clock.boot(), self._clock.monotonic()
        self._buckets = await self._store.buckets()
        if self._store.virtual_buckets > 1:
            rows = await self._store.controls(DECISIONS)
            self.decision = unpacked(rows[-1].value) if rows else None
        self._confirmed_at, self._read_at = sent, read_at
        self._adopt()

    def _view(self, nodes: tuple[str, ...]) -> View:
        own = self._own()
        return View(
            own=own,
            nodes=nodes,
            buckets=tuple(self._buckets),
            wanted=self.wanted,
            silent=self.peers.silent(own),
        )

    async def _divide(self, division: Division) -> bool:
        """One deed; whether it was done. Where it was not, things are not as we saw them."""
        if division.owner != self._own():
            self._let_go(division)
        try:
            new = await self._store.divide(division)
        except Conflict as error:
            log.info("buckets are looked at again: %s", error)
            self._answered(division)
            self.look()
            return False
        self._answered(division)
        low, high = new[0].low, new[-1].high
        others = [bucket for bucket in self._buckets if bucket.high < low or bucket.low > high]
        self._buckets = sorted([*others, *new], key=lambda bucket: bucket.low)
        return True

    def _let_go(self, division: Division) -> None:
        """Before a gift is sent: from its commit on they are another's, whether we hear of it or not."""
        given = {low for low, _ in division.old}
        self.owned = {low: bucket for low, bucket in self.owned.items() if low not in given}
        self._given |= dict(division.old)
        self._read_at = float("-inf")

    def _answered(self, division: Division) -> None:
        for low, epoch in division.old:
            if self._given.get(low) == epoch:
                del self._given[low]

    def _with_renewals(self, found: list[Division], own: str) -> list[Division]:
        """A gift that nobody answered may still be on its way, though the bucket reads as ours. Where it is not to be
        given any more it becomes ours again by a new epoch, which the gift does not know."""
        touched = {low for division in found for low, _ in division.old}
        return found + [
            Division(session=own, owner=own, old=((one.low, one.epoch),), new=((one.low, one.high),))
            for one in self._buckets
            if one.owner == own and self._is_given(one) and one.low not in touched
        ]

    def _is_given(self, bucket: Bucket) -> bool:
        return self._given.get(bucket.low) == bucket.epoch

    def _adopt(self) -> None:
        own = self._own()
        mine = {one.low: one for one in self._buckets if own and one.owner == own and not self._is_given(one)}
        if mine != self.owned:
            self.owned = mine
            self._changed()

    def _rest(self) -> float | None:
        if len(self.owned) < len(self._buckets) or not self._member.owning(self._confirmed_at):
            return NODE_LOOK_SECONDS
        return SWEEP_SECONDS if self._store.virtual_buckets > 1 else None

    def _own(self) -> str:
        return self._member.session.id if self._member.session is not None else ""

    def _heard(self, _reply: BeatReply) -> None:
        """A beat got through after too long a silence: others may own by now what was ours."""
        if self.owned and not self._member.owning(self._confirmed_at):
            self.look()

    def _lost(self, _reason: str) -> None:
        self.owned.clear()
        self._changed()
        self.look()

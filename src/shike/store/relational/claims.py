"""Runs go out: a claim leases what is eligible, in order, once.

A claim takes few steps however many runs it grants: it looks at the heads of the lanes, takes the first runs out of
one after the other, skipping what another claim is just taking, and writes one lease. The rows of the runs are not
touched. A claim that finds nothing is one statement.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shike.bounds import BAND_BACKLOG, CLAIM_RUNS_MAX
from shike.errors import BadInput, SessionClosed
from shike.model import Manner, Run
from shike.store.lost import joining
from shike.store.pauses import paused_of
from shike.store.relational.floors import ranges
from shike.store.relational.link import Again, Row
from shike.store.relational.records import packed_numbers, unpack_ids
from shike.store.relational.tx import Tx
from shike.store.rows import OPEN, lane_of, unpack_run, unpack_runs
from shike.store.verbs import Batch, Claim, Claimed, Want

_OVERTAKEN = "the session was closed, or had this very claim, while this one was looking"


async def claim(tx: Tx, asked: Claim) -> Batch:
    """`Store.claim`."""
    wants = [want for want in asked.wants if want.count > 0]
    await tx.learn([*asked.tasks, *(want.queue for want in wants)])
    lows = [lane_of(tx.names.number(want.queue), 0) for want in wants]
    floors = tx.floors.of(lows) if tx.facts.leaves_dead else {}
    batch = await _claim(tx, asked, wants, lows, floors)
    if floors and not batch.runs:  # nothing above the floors; nobody is told so before a look below them
        if not tx.has_begun:
            return await _claim(tx, asked, wants, lows, {})
        tx.floors.look_next()
        return Batch(number=batch.number, now=batch.now, runs=[], more=True)
    return batch


async def _claim(
    tx: Tx, asked: Claim, wants: list[Want], lows: list[int], floors: Mapping[int, tuple[int, int]]
) -> Batch:
    """Look no lower than the floors, where there are any."""
    began = time.monotonic()
    rows = await _look(tx, asked.session, lows, floors)
    if not floors:
        tx.floors.looked(time.monotonic() - began)
    holder = _holder(asked, rows[0])
    if asked.number <= holder.claimed:
        return await _again(tx, holder, asked.number)
    market = _Market(tx, asked, holder.now, wants, rows, floors)
    sole = market.sole() if tx.facts.at_once else None
    if sole is not None:
        grant, runs = await market.grant_at_once(holder, *sole)
    else:
        grant = (await market.suspects() if asked.suspects else None) or await market.eligible()
        runs = await _lease(tx, holder, asked, grant) if grant.ids else []
    more = await market.more()
    next_at = 0 if more else market.next_at()
    await market.put_back()
    return Batch(number=asked.number, now=holder.now, runs=runs, manner=grant.manner, more=more, next_at=next_at)


async def _look(tx: Tx, session: str, lows: list[int], floors: Mapping[int, tuple[int, int]]) -> Sequence[Row]:
    """The session, and the heads of the lanes."""
    spans = ranges(lows, floors)
    places = floors.values()
    return await tx.look(
        "claim_look", tx.given, session, [first for first, _ in spans], [last for _, last in spans],
        list(floors), [run_at for run_at, _ in places], [run_id for _, run_id in places],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Holder:
    """The session that asks."""

    now: int
    number: int
    claimed: int


def _holder(asked: Claim, row: Row) -> _Holder:
    """The session that asks, if it lives. One whose lease is over must beat first."""
    now, number, closed, expires_at, claimed, reason = row[:6]
    if number is None or closed or expires_at < now:
        raise _closed(asked.session, "unknown to the store" if number is None else reason or "its lease is over")
    if asked.number < 1:
        raise BadInput("claims are counted from 1")
    return _Holder(now, number, claimed)


def _closed(session: str, reason: str) -> SessionClosed:
    return SessionClosed(f"session {session} cannot claim: {reason}", session=session, reason=reason)


async def _again(tx: Tx, holder: _Holder, number: int) -> Batch:
    """A repeat: what is still open of the batch that this number was granted, lease and runs as of one instant:
    a rescue may be taking them away."""
    await tx.snapshot()
    row = await tx.row("lease_of_claim", holder.number, number)
    if row is None:
        return Batch(number=number, now=holder.now, runs=[])
    token, manner, ids, fates = row
    still = [run_id for run_id, fate in zip(unpack_ids(ids), fates, strict=True) if fate == OPEN]
    found = {row[0]: row for row in (await tx.rows("runs_leased", still) if still else ())}
    runs = []
    for run_id in still:
        _, body, attempts, run_at, crashes, together = found[run_id]
        runs.append(Claimed(unpack_run(body), token, attempts + 1, run_at, crashes, together))
    return Batch(number=number, now=holder.now, runs=runs, manner=Manner(manner))


@dataclass(slots=True)
class _Grant:
    """What was taken out of lanes, column by column."""

    manner: Manner = Manner.ORDINARY
    ids: list[int] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    run_ats: list[int] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    crashes: list[int] = field(default_factory=list)
    together: list[int] = field(default_factory=list)
    facts: list[int] = field(default_factory=list)

    def drop(self, place: int) -> None:
        for column in (self.ids, self.runs, self.run_ats, self.attempts, self.crashes, self.together, self.facts):
            del column[place]


async def _lease(tx: Tx, holder: _Holder, asked: Claim, grant: _Grant) -> list[Claimed]:
    """One lease for the whole batch, if the session still lives and has not had this claim meanwhile."""
    count = len(grant.ids)
    ids, facts = packed_numbers("q", grant.ids), packed_numbers("i", grant.facts)
    fates, manner = bytes([OPEN]) * count, int(grant.manner)
    words = holder.number, asked.number, holder.now, manner, count, ids, facts, fates
    row = await tx.row("lease_grant", tx.given, *words)
    if row is None:
        raise Again(_OVERTAKEN)
    return _claimed(grant, row[0])


def _claimed(grant: _Grant, token: int) -> list[Claimed]:
    columns = zip(grant.runs, grant.attempts, grant.run_ats, grant.crashes, grant.together, strict=True)
    return [Claimed(run, token, attempts + 1, *rest) for run, attempts, *rest in columns]


def _listed(words: Any) -> list[str]:
    """A list, as one server answers it, or its JSON, as the other; None: there is nothing to list."""
    found: list[str] = words if isinstance(words, list) else msgspec.json.decode(words or b"[]")
    return found


class _Market:
    """The lanes of the wanted queues, as they stand during this claim."""

    def __init__(
        self,
        tx: Tx,
        asked: Claim,
        now: int,
        wants: list[Want],
        lanes: Sequence[Row],
        floors: Mapping[int, tuple[int, int]],
    ) -> None:
        self._tx = tx
        self._asked = asked
        self._now = now
        self._wants = wants
        self._paused = paused_of(_listed(lanes[0][9]))
        self._aside: list[tuple[int, int, int, int]] = []  # (lane, run_at, id, task) of what is paused by its key
        self._tasks = [tx.names.number(task) for task in self._paused.grantable(asked)]
        self._floors = floors
        heads = [row[6:9] for row in lanes if row[7] is not None]
        self._eligible = {lane for lane, first, _ in heads if first <= now}
        self._rest: dict[int, bool] = {}  # of the lanes that were looked into: whether something is left
        self._ahead = [ahead for _, _, ahead in heads if ahead is not None]

    async def suspects(self) -> _Grant | None:
        """As many as may go out at once, from one lane: in its order, up to the first that wants less company."""
        asked = self._asked
        for want in self._wants:
            for lane, most in self._places(want, suspect=True):
                room = min(most, asked.suspects_max, CLAIM_RUNS_MAX)
                found = await self._tx.rows("suspects_lock", lane, self._now, self._tasks, room) if room > 0 else ()
                if self._paused.keys:
                    found = [row for row in found if not self._paused.holds(unpack_run(row[6]))]
                bounds = [row[4] for row in found]
                count = joining([], bounds) if asked.suspects is Manner.TOGETHER else len(bounds)
                if count:
                    return await self._lead_out(lane, found[:count])
        return None

    async def _lead_out(self, lane: int, chosen: Sequence[Row]) -> _Grant:
        """These suspects, which are locked, leave their lane."""
        grant = _Grant(self._asked.suspects)
        for run_id, run_at, attempts, crashes, together, fact, body in chosen:
            grant.ids.append(run_id)
            grant.run_ats.append(run_at)
            grant.attempts.append(attempts)
            grant.crashes.append(crashes)
            grant.together.append(together)
            grant.facts.append(fact)
            grant.runs.append(unpack_run(body))
        await self._tx.many("lanes_leave", [(lane, row[1], row[0]) for row in chosen])
        return grant

    async def eligible(self) -> _Grant:
        """Each want is filled on its own, band by band."""
        grant = _Grant()
        for want in self._wants:
            room = min(want.count, CLAIM_RUNS_MAX - len(grant.ids))
            for lane, most in self._places(want, suspect=False):
                if room > 0 and most > 0:
                    room -= await self._take(grant, lane, min(room, most))
        return grant

    async def put_back(self) -> None:
        """What stood aside takes its place again."""
        await self._tx.many("lanes_back", self._aside)

    async def more(self) -> bool:
        """Whether something else that was asked for is eligible, and only the counts kept it back."""
        kinds = (False, True) if self._asked.suspects else (False,)
        lanes = {lane for suspect in kinds for want in self._wants for lane, _ in self._places(want, suspect=suspect)}
        if any(self._rest.get(lane) for lane in lanes):
            return True
        unseen = sorted(lanes - self._rest.keys())
        return bool(unseen) and bool(await self._tx.rows("lanes_have", unseen, self._now, self._tasks))

    def next_at(self) -> int:
        """The earliest run_at still ahead in the wanted queues; 0: none."""
        return min(self._ahead, default=0)

    def _places(self, want: Want, *, suspect: bool) -> Iterator[tuple[int, int]]:
        """The lanes to look at, in order, and how much each may give."""
        queue = self._tx.names.number(want.queue)
        for band in self._asked.bands if self._eligible else ():
            lane = lane_of(queue, band, suspect=suspect)
            if lane in self._eligible and self._rest.get(lane, True):
                yield lane, min(want.backlog, want.count) if band == BAND_BACKLOG else want.count

    def sole(self) -> tuple[int, int] | None:
        """The only lane that has anything for this claim, and how much of it is wanted; None: there are several, or it
        has to be looked at closely."""
        if self._paused.keys:
            return None
        if self._asked.suspects and any(True for want in self._wants for _ in self._places(want, suspect=True)):
            return None
        places = [place for want in self._wants for place in self._places(want, suspect=False)]
        if len(places) != 1 or places[0][1] < 1:
            return None
        return places[0][0], min(places[0][1], CLAIM_RUNS_MAX)

    async def grant_at_once(self, holder: _Holder, lane: int, room: int) -> tuple[_Grant, list[Claimed]]:
        """Take the first runs of one lane and lease them, in one statement."""
        asked, grant = self._asked, _Grant()
        words = holder.number, asked.number, holder.now, lane, self._tasks, room, *self._floor(lane)
        columns = await self._tx.look_columns("lane_grant", self._tx.given, *words)
        if not self._fill(grant, lane, columns[:-1]):
            return grant, []
        token = columns[-1][0]
        if token is None:
            raise Again(_OVERTAKEN)
        self._tx.grants.keep(token, asked.session, holder.number, grant.ids, grant.facts)
        return grant, _claimed(grant, token)

    async def _take(self, grant: _Grant, lane: int, room: int) -> int:
        """Move the first runs of a lane into the grant; how many. Of those that are paused by their keys none, however
        many of them come first."""
        count = 0
        while True:
            words = lane, self._now, self._tasks, room - count, *self._floor(lane)
            found = self._fill(grant, lane, await self._tx.columns("lane_take", *words))
            if not self._paused.keys:
                return found
            count += found - self._set_aside(grant, lane, found)
            if count >= room or not self._rest[lane]:
                return count

    def _set_aside(self, grant: _Grant, lane: int, count: int) -> int:
        """Of the last `count` runs of the grant those that are paused by their keys; how many."""
        first = len(grant.ids) - count
        held = [place for place in range(first, len(grant.ids)) if self._paused.holds(grant.runs[place])]
        for place in reversed(held):
            self._aside.append((lane, grant.run_ats[place], grant.ids[place], grant.facts[place] >> 1))
            grant.drop(place)
        return len(held)

    def _floor(self, lane: int) -> tuple[int, int]:
        """(run_at, id) of the first that is worth looking at."""
        return self._floors.get(lane, (0, 0))

    def _fill(self, grant: _Grant, lane: int, columns: Sequence[Sequence[Any]]) -> int:
        """What left a lane goes into the grant; how many."""
        if not columns or not columns[0]:
            self._rest[lane] = False
            return 0
        ids, run_ats, attempts, crashes, together, facts, bodies, rest = columns
        self._rest[lane] = bool(rest[0])
        if self._tx.facts.leaves_dead:
            self._tx.floors.took(lane, (run_ats[-1], ids[-1]), len(ids), self._now)
        grant.ids += ids
        grant.run_ats += run_ats
        grant.attempts += attempts
        grant.crashes += crashes
        grant.together += together
        grant.facts += facts
        grant.runs += unpack_runs(len(bodies), b"".join(bodies))
        return len(ids)

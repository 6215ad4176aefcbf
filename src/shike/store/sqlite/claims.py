"""Runs go out: a claim leases what is eligible, in order, once.

A claim is a handful of steps however many runs it grants: it reads the first runs of a lane as one row, takes that
prefix out of the lane, and writes one lease. The rows of the runs are not touched.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from shike.bounds import BAND_BACKLOG, CLAIM_RUNS_MAX
from shike.errors import BadInput, SessionClosed
from shike.model import Manner, Run
from shike.store.lost import joining
from shike.store.pauses import PAUSE, PAUSE_END, paused_of
from shike.store.rows import OPEN, lane_of, unpack_run, unpack_runs
from shike.store.sqlite.records import listed, listed_names, numbers, unpack_ids
from shike.store.sqlite.tx import Tx
from shike.store.verbs import Batch, Claim, Claimed, Want


def claim(tx: Tx, asked: Claim) -> Batch:
    """`Store.claim`."""
    now = tx.now
    session, claimed = _holder(tx, asked, now)
    if asked.number <= claimed:
        return _again(tx, session, asked.number, now)
    market = _Market(tx, asked, now)
    grant = (market.suspects() if asked.suspects else None) or market.eligible()
    runs = _lease(tx, session, asked.number, grant, now) if grant.ids else []
    more = market.more()
    next_at = 0 if more else market.next_at()
    market.put_back()
    return Batch(number=asked.number, now=now, runs=runs, manner=grant.manner, more=more, next_at=next_at)


def _holder(tx: Tx, asked: Claim, now: int) -> tuple[int, int]:
    """The number and last claim of the session that asks, if it lives. One whose lease is over must beat first."""
    row = tx.one("session_state", asked.session)
    if row is None or row[1] or row[2] < now:
        reason = "unknown to the store" if row is None else row[4] or "its lease is over"
        raise SessionClosed(f"session {asked.session} cannot claim: {reason}", session=asked.session, reason=reason)
    if asked.number < 1:
        raise BadInput("claims are counted from 1")
    return row[0], row[3]


def _again(tx: Tx, session: int, number: int, now: int) -> Batch:
    """A repeat: what is still open of the batch that this number was granted."""
    row = tx.one("lease_of_claim", session, number)
    if row is None:
        return Batch(number=number, now=now, runs=[])
    token, manner, ids, fates = row
    still = [run_id for run_id, fate in zip(unpack_ids(ids), fates, strict=True) if fate == OPEN]
    found = {row[0]: row for row in tx.all("runs_leased", listed(still))}
    runs = []
    for run_id in still:
        _, body, attempts, run_at, crashes, together = found[run_id]
        runs.append(Claimed(unpack_run(body), token, attempts + 1, run_at, crashes, together))
    return Batch(number=number, now=now, runs=runs, manner=Manner(manner))


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


def _lease(tx: Tx, session: int, number: int, grant: _Grant, now: int) -> list[Claimed]:
    """One lease for the whole batch."""
    count = len(grant.ids)
    ids, facts = array("q", grant.ids).tobytes(), array("i", grant.facts).tobytes()
    fates = bytes([OPEN]) * count
    token = tx.run("lease_grant", session, number, now, grant.manner, count, ids, facts, fates).lastrowid or 0
    tx.run("session_claimed", number, session)
    columns = zip(grant.runs, grant.attempts, grant.run_ats, grant.crashes, grant.together, strict=True)
    return [Claimed(run, token, attempts + 1, *rest) for run, attempts, *rest in columns]


class _Market:
    """The lanes of the wanted queues, as they stand during this claim."""

    def __init__(self, tx: Tx, asked: Claim, now: int) -> None:
        self._tx = tx
        self._asked = asked
        self._now = now
        self._wants = [want for want in asked.wants if want.count > 0]
        self._paused = paused_of(key for (key,) in tx.all("pauses", PAUSE, PAUSE_END))
        self._aside: list[tuple[int, int, int, int]] = []  # (lane, run_at, id, task) of what is paused by its key
        self._tasks = listed(filter(None, map(tx.names.seen, self._paused.grantable(asked))))
        queues = listed_names([want.queue for want in self._wants])
        lanes = tx.all("lanes_of", queues, now) if self._wants else []
        self._eligible = {lane: True for lane, first, _ in lanes if first <= now}  # False: known to be used up
        self._ahead = [ahead for _, _, ahead in lanes if ahead is not None]

    def suspects(self) -> _Grant | None:
        """As many as may go out at once, from one lane: in its order, up to the first that wants less company."""
        asked = self._asked
        for want in self._wants:
            for lane, most in self._places(want, suspect=True):
                room = min(most, asked.suspects_max, CLAIM_RUNS_MAX)
                found = self._tx.all("suspects_first", lane, self._now, self._tasks, room) if room > 0 else []
                bounds = [together for (together,) in found]
                count = joining([], bounds) if asked.suspects is Manner.TOGETHER else len(bounds)
                if count:
                    grant = _Grant(asked.suspects)
                    self._take_first(grant, lane, count)
                    if grant.ids:
                        return grant
        return None

    def eligible(self) -> _Grant:
        """Each want is filled on its own, band by band."""
        grant = _Grant()
        for want in self._wants:
            room = min(want.count, CLAIM_RUNS_MAX - len(grant.ids))
            for lane, most in self._places(want, suspect=False):
                if room > 0 and most > 0:
                    room -= self._take(grant, lane, min(room, most))
        return grant

    def more(self) -> bool:
        """Whether something else that was asked for is eligible, and only the counts kept it back."""
        kinds = (False, True) if self._asked.suspects else (False,)
        places = (lane for suspect in kinds for want in self._wants for lane, _ in self._places(want, suspect=suspect))
        return any(self._tx.one("lane_has", lane, self._now, self._tasks) for lane in places)

    def next_at(self) -> int:
        """The earliest run_at still ahead in the wanted queues; 0: none."""
        return min(self._ahead, default=0)

    def _places(self, want: Want, *, suspect: bool) -> Iterator[tuple[int, int]]:
        """The lanes to look at, in order, and how much each may give."""
        queue = self._tx.names.seen(want.queue) if self._eligible else 0
        for band in self._asked.bands if self._eligible else ():
            lane = lane_of(queue, band, suspect=suspect)
            if self._eligible.get(lane):
                yield lane, min(want.backlog, want.count) if band == BAND_BACKLOG else want.count

    def put_back(self) -> None:
        """What stood aside takes its place again."""
        self._tx.many("lane_insert", self._aside)

    def _take(self, grant: _Grant, lane: int, room: int) -> int:
        """Move the first runs of a lane into the grant; how many. Of those that are paused by their keys none, however
        many of them come first."""
        count = self._take_first(grant, lane, room)
        while self._paused.keys and count < room and self._eligible.get(lane):
            count += self._take_first(grant, lane, room - count)
        return count

    def _take_first(self, grant: _Grant, lane: int, room: int) -> int:
        """One more is looked at, to know if any is left."""
        row = self._tx.one("lane_first", lane, self._now, self._tasks, room + 1)
        count, *columns, bodies = row or (0, None)
        if not count:
            self._eligible[lane] = False
            return 0
        ids, run_ats, attempts, crashes, together, facts = (numbers(column)[:room] for column in columns)
        self._eligible[lane] = count > room
        grant.ids += ids
        grant.run_ats += run_ats
        grant.attempts += attempts
        grant.crashes += crashes
        grant.together += together
        grant.facts += facts
        grant.runs += unpack_runs(count, bodies)[:room]
        self._tx.run("lane_take", lane, run_ats[-1], ids[-1], self._tasks)
        return len(ids) - (self._set_aside(grant, lane, len(ids)) if self._paused.keys else 0)

    def _set_aside(self, grant: _Grant, lane: int, count: int) -> int:
        """Of the last `count` runs of the grant those that are paused by their keys; how many."""
        first = len(grant.ids) - count
        held = [place for place in range(first, len(grant.ids)) if self._paused.holds(grant.runs[place])]
        for place in reversed(held):
            self._aside.append((lane, grant.run_ats[place], grant.ids[place], grant.facts[place] >> 1))
            grant.drop(place)
        return len(held)

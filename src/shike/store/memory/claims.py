"""Runs go out: a claim leases what is eligible, in order, once."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from shike.bounds import BAND_BACKLOG, CLAIM_RUNS_MAX
from shike.errors import BadInput, SessionClosed
from shike.model import Live, Manner, State
from shike.store.lost import joining
from shike.store.memory.lanes import Lane, Lanes
from shike.store.memory.pages import Entry
from shike.store.memory.tables import LeaseRow, SessionRow, Tables
from shike.store.verbs import Batch, Claim, Claimed, Want

RUNNING = State.RUNNING


def claim(tables: Tables, asked: Claim) -> Batch:
    now = tables.now()
    row = _holder(tables, asked, now)
    if asked.number <= row.session.claimed:
        return _again(tables, row, asked.number, now)
    wants = [want for want in asked.wants if want.count > 0 and not tables.is_paused(want.queue)]
    keys = tables.paused.keys
    if (tasks := tables.paused.grantable(asked)) is not asked.tasks:
        asked = replace(asked, tasks=tasks)
    entries = _suspects(tables.suspects, asked, wants, now, keys) if asked.suspects else []
    manner = asked.suspects if entries else Manner.ORDINARY
    if not entries:
        entries = _eligible(tables.lanes, asked, wants, now, keys)
    runs = _grant(tables, row, asked.number, entries, manner, now) if entries else []
    more = _has_more(tables, asked, wants, now)
    next_at = 0 if more else _next_at(tables, wants, now)
    return Batch(number=asked.number, now=now, runs=runs, manner=manner, more=more, next_at=next_at)


def _holder(tables: Tables, asked: Claim, now: int) -> SessionRow:
    """The session that asks, if it lives. One whose lease is over must beat before it may claim."""
    row = tables.sessions.get(asked.session)
    if row is None or not row.is_open or row.session.expires_at < now:
        reason = "unknown to the store" if row is None else row.session.reason or "its lease is over"
        raise SessionClosed(f"session {asked.session} cannot claim: {reason}", session=asked.session, reason=reason)
    if asked.number < 1:
        raise BadInput("claims are counted from 1")
    return row


def _again(tables: Tables, row: SessionRow, number: int, now: int) -> Batch:
    """A repeat: what is still open of the batch that this number was granted."""
    lease = row.leases.get(number)
    if lease is None:
        return Batch(number=number, now=now, runs=[])
    runs = [_claimed(live, lease.token) for live in tables.open_runs(lease)]
    return Batch(number=number, now=now, runs=runs, manner=lease.manner)


def _suspects(lanes: Lanes, asked: Claim, wants: list[Want], now: int, keys: frozenset[str]) -> list[Entry]:
    """As many as may go out at once, from one lane: in its order, up to the first that wants less company."""
    for lane, room in _places(lanes, asked, wants):
        found: list[Entry] = []
        while len(found) < min(room, asked.suspects_max) and (more := lane.take(now, 1, asked.tasks, keys)):
            if asked.suspects is Manner.TOGETHER and not joining(_bounds(found), _bounds(more)):
                lane.add(more[0][2])
                break
            found += more
        if found:
            return found
    return []


def _bounds(entries: list[Entry]) -> list[int]:
    return [live.together for _, _, live in entries]


def _eligible(lanes: Lanes, asked: Claim, wants: list[Want], now: int, keys: frozenset[str]) -> list[Entry]:
    """Each want is filled on its own, band by band."""
    entries: list[Entry] = []
    for want in wants:
        room = min(want.count, CLAIM_RUNS_MAX - len(entries))
        for lane, most in _places(lanes, asked, [want]):
            found = lane.take(now, min(room, most), asked.tasks, keys) if room and most else []
            entries += found
            room -= len(found)
    return entries


def _places(lanes: Lanes, asked: Claim, wants: list[Want]) -> Iterator[tuple[Lane, int]]:
    """The lanes to look at, in order, and how much each may give."""
    for want in wants:
        bands = lanes.by_queue.get(want.queue, {})
        for band in asked.bands if bands else ():
            lane = bands.get(band)
            if lane:
                yield lane, min(want.backlog, want.count) if band == BAND_BACKLOG else want.count


def _claimed(live: Live, token: int) -> Claimed:
    return Claimed(live.run, token, live.attempts + 1, live.run_at, live.crashes, live.together)


def _grant(
    tables: Tables, row: SessionRow, number: int, entries: list[Entry], manner: Manner, now: int
) -> list[Claimed]:
    """One lease for the whole batch."""
    tables.token = token = tables.token + 1
    runs: list[Claimed] = []
    for _, _, live in entries:
        live.state = RUNNING
        live.token = token
        runs.append(_claimed(live, token))
    run_ids = tuple([entry[1] for entry in entries])
    lease = LeaseRow(token, row.session.id, number, now, run_ids, len(run_ids), manner)
    tables.leases[token] = row.leases[number] = row.open[number] = lease
    tables.update_session(row, claimed=number)
    return runs


def _has_more(tables: Tables, asked: Claim, wants: list[Want], now: int) -> bool:
    """Whether something else that was asked for is eligible, and only the counts kept it back."""
    kinds = (tables.lanes, tables.suspects) if asked.suspects else (tables.lanes,)
    keys = tables.paused.keys
    return any(lane.has(now, asked.tasks, keys) for lanes in kinds for lane, _ in _places(lanes, asked, wants))


def _next_at(tables: Tables, wants: list[Want], now: int) -> int:
    ahead = (
        lane.first_after(now)
        for lanes in (tables.lanes, tables.suspects)
        for want in wants
        for lane in lanes.by_queue.get(want.queue, {}).values()
    )
    return min((run_at for run_at in ahead if run_at), default=0)

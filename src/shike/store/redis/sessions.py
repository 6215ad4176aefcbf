"""Processes come, beat, and die once; what they held goes back; buckets change hands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shike.bounds import CLAIM_RUNS_MAX, SESSIONS_LISTED
from shike.clock import MICROS
from shike.errors import Conflict, NotFound, SessionClosed, StoreUnavailable
from shike.model import Bucket, Session, SessionState
from shike.store.dividing import bounds, divided
from shike.store.redis.base import HOME, Base
from shike.store.redis.records import eight, facts, number_of, read_session
from shike.store.redis.server import Words
from shike.store.verbs import Beat, BeatReply, Division, Freed, NewSession

TRIES_MAX: Final = 20  # of a decision that somebody else's step came in between
SESSIONS_REMEMBERED: Final = 10_000
UNMARKED_SECONDS: Final = 60.0  # a closing that stopped half-way leaves buckets that grant until the lease is over


@dataclass(slots=True)
class Lives:
    """Until when sessions live, as their beats through this store were told. A bucket has no such facts."""

    known: dict[str, int] = field(default_factory=dict)

    def note(self, session: str, expires_at: int) -> None:
        if len(self.known) >= SESSIONS_REMEMBERED:
            self.known.clear()
        self.known[session] = expires_at

    async def until(self, base: Base, session: str) -> int:
        known = self.known.get(session)
        return await self.learn(base, session) if known is None else known

    async def learn(self, base: Base, session: str) -> int:
        """Ask the home bucket. Raises `SessionClosed` for one that is closed or unknown."""
        found = await _facts(base, session)
        if found is None or found.state is SessionState.CLOSED:
            reason = "unknown to the store" if found is None else found.reason
            raise SessionClosed(f"session {session} cannot claim: {reason}", session=session, reason=reason)
        self.note(session, found.expires_at)
        return found.expires_at


async def open_session(base: Base, lives: Lives, new: NewSession) -> Session:
    tag = base.tag(HOME)
    info = facts(await base.server.command(tag, b"INFO", b"server"))
    answer = await base.at(
        HOME, "open_session", new.identity, new.name, new.kind, new.host, new.pid, repr(float(new.lease_seconds)),
        new.protocol, info.get("run_id", ""),
    )  # fmt: skip
    if answer[0] == b"closed":
        raise closed(new.identity, answer[1].decode())
    session = read_session(answer[1])
    lives.note(session.id, session.expires_at)
    return session


async def beat(base: Base, lives: Lives, sign: Beat) -> BeatReply:
    holds = [eight(token) for token in sign.holds]
    reports = [word for run_id, token, report in sign.progress for word in (eight(run_id), eight(token), report)]
    words: Words = (
        sign.session, sign.number, repr(float(sign.lease_seconds)), sign.received, sign.load, base.bound,
        len(holds), *holds, len(sign.progress), *reports,
    )  # fmt: skip
    answer = await base.home_first(base.every, "beat", "0", *words)
    if answer[0] == b"closed":
        raise closed(sign.session, answer[1].decode() or "it is unknown to the store")
    _, now, expires_at, is_news, stops, queues = answer
    for _, _, _, _, more_stops, more_queues in await base.afterwards(base.every, "beat", is_news, *words):
        stops += more_stops
        queues += more_queues
    lives.note(sign.session, expires_at)
    return BeatReply(
        now=now,
        expires_at=expires_at,
        cancels=tuple(sorted((number_of(run_id), token) for run_id, token in stops)),
        eligible=tuple(sorted({queue.decode() for queue in queues})),
    )


async def close_session(
    base: Base, lives: Lives, session: str, seen_beat: int | None, reason: str, gone: bool, alive: bool
) -> bool:
    """On a cluster: closed at home, then in each bucket, then what it held in all of them is written at home."""
    words = (session, "" if seen_beat is None else seen_beat, reason, int(gone), int(alive), int(base.server.one_step))
    answer = await base.home_first(base.every, "close_session", *words)
    if answer[0] == b"unknown":
        raise NotFound(f"there is no session {session}")
    if answer[0] == b"open":
        return False
    lives.known.pop(session, None)
    if not base.server.one_step:
        others = await base.afterwards(base.every, "close_session", *words[:2], answer[1], *words[3:])
        await base.at(HOME, "note_held", session, answer[2] + sum(held for _, _, held in others))
    return True


async def free(base: Base, session: str, limit: int) -> Freed:
    answer = await base.at(HOME, "disown", session)
    if answer[0] == b"unknown":
        raise NotFound(f"there is no session {session}")
    if answer[0] == b"open":
        raise Conflict(f"session {session} is open: it must be closed before what it holds is taken from it")
    _, reason, died, held = answer
    requeued: list[int] = []
    dead: list[int] = []
    left = False
    room = limit
    groups = [list(base.every)] if base.server.one_step else [[bucket] for bucket in base.every]
    for group in groups:
        words = (session, reason, died, held or CLAIM_RUNS_MAX, room, base.crashes_max, base.bound)
        again, gone, count, remain = await base.server.script("free", base.tags(group), words)
        requeued += map(number_of, again)
        dead += map(number_of, gone)
        room -= count
        left = left or bool(remain)
    return Freed(requeued=tuple(requeued), dead=tuple(dead), left=left)


# ---------------------------------------------------------------- buckets


async def buckets(base: Base) -> list[Bucket]:
    return [bucket for bucket, _ in await _rows(base)]


async def _rows(base: Base) -> list[tuple[Bucket, bytes]]:
    tag = base.tag(HOME)
    fields = await base.server.command(tag, b"HGETALL", tag + b":buckets")
    rows = zip(fields[::2], fields[1::2], strict=True)
    found = [(_read_bucket(int(low), row), row) for low, row in rows]
    return sorted(found, key=lambda one: one[0].low)


def _read_bucket(low: int, row: bytes) -> Bucket:
    high, epoch = int.from_bytes(row[:4], "big"), number_of(row[4:12])
    return Bucket(low=low, high=high, owner=row[12:].decode(), epoch=epoch)


def pack_bucket(bucket: Bucket) -> bytes:
    return bucket.high.to_bytes(4, "big") + eight(bucket.epoch) + bucket.owner.encode()


async def divide(base: Base, division: Division) -> list[Bucket]:
    """Decided here, on what was read, and written if nothing of that has changed since."""
    for _ in range(TRIES_MAX):
        new = await _divide(base, division)
        if new is not None:
            return new
    raise StoreUnavailable("the buckets change all the time; the same division may be repeated")


async def _divide(base: Base, division: Division) -> list[Bucket] | None:
    rows = await _rows(base)
    involved = {division.session, division.owner, *(bucket.owner for bucket, _ in rows)} - {""}
    known = {identity: await _facts(base, identity) for identity in sorted(involved)}
    caller = known[division.session]
    if caller is None or caller.state is SessionState.CLOSED:
        raise closed(division.session, "it is unknown to the store" if caller is None else caller.reason)
    first, last = bounds(division, base.buckets)
    found = [(bucket, row) for bucket, row in rows if bucket.high >= first and bucket.low <= last]
    new = divided(division, [bucket for bucket, _ in found], lambda identity: known.get(identity))
    seen: list[Any] = [len(known)]
    for identity, session in known.items():
        seen += (identity, *(("", "") if session is None else (session.state.value, session.beat)))
    words = [*seen, len(found)]
    for bucket, row in found:
        words += (bucket.low, row)
    words.append(len(new))
    for bucket in new:
        words += (bucket.low, bucket.high, pack_bucket(bucket), bucket.epoch)
    touched = range(first, last + 1)
    if await base.home_first(touched, "divide", *words) == b"changed":
        return None
    await base.afterwards(touched, "divide", *words)
    return new


async def _facts(base: Base, session: str) -> Session | None:
    tag = base.tag(HOME)
    fields = await base.server.command(tag, b"HGETALL", b"%s:session:%s" % (tag, session.encode()))
    return read_session(fields) if fields else None


# ---------------------------------------------------------------- who there is


async def sessions(base: Base, everything: bool, limit: int) -> list[Session]:
    which = ("sessions", limit) if everything else ("beating", SESSIONS_REMEMBERED)
    return [session for session, _ in await _listed(base, *which)]


async def left_over(base: Base) -> list[Session]:
    """Who holds nothing, and can be granted nothing any more, is taken off the list on the way."""
    found = await _listed(base, "left", SESSIONS_LISTED)
    if not found:
        return []
    owners = {bucket.owner for bucket in await buckets(base)}
    tag = base.tag(HOME)
    kept = []
    for session, leases in found:
        if leases or session.id in owners:
            kept.append(session)
        elif session.closed_at + (session.lease_seconds + UNMARKED_SECONDS) * MICROS < await now(base):
            await base.server.command(tag, b"ZREM", tag + b":left", session.id)
    return kept


async def now(base: Base) -> int:
    return int(await base.at(HOME, "now"))


async def held(base: Base, session: str) -> int:
    parts = await base.everywhere(base.every, "holding", (1, session))
    return sum(leases for part in parts for _, leases in part)


async def _listed(base: Base, which: str, most: int) -> list[tuple[Session, int]]:
    """Sessions with the number of their open leases."""
    if most <= 0:
        return []
    rows = [fields for fields in await base.at(HOME, "sessions", which, most) if fields]
    found = [read_session(fields) for fields in rows]
    holding = await _holding(base, [session.id for session in found])
    return [(read_session(fields, claim), leases) for fields, (claim, leases) in zip(rows, holding, strict=True)]


async def _holding(base: Base, identities: Sequence[str]) -> list[tuple[int, int]]:
    if not identities:
        return []
    parts = await base.everywhere(base.every, "holding", (len(identities), *identities))
    return [
        (max(part[place][0] for part in parts), sum(part[place][1] for part in parts))
        for place in range(len(identities))
    ]


def closed(session: str, reason: str) -> SessionClosed:
    return SessionClosed(f"session {session} is closed: {reason}", session=session, reason=reason)

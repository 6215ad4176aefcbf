"""Why so late: each stretch in which nothing happened to a run, with its cause in words. Pure.

A wait is cut where something stopped to be in the way: a pause ended, the first worker was there again, the one that
took the run had room. Until that instant that was the cause; what is left over at the end is the claim itself, and
where it is long, the store. What nobody wrote down is called unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shike.clock import to_datetime
from shike.lanes import is_hall, queue_of
from shike.limit.gates import is_limit_gate
from shike.model import NEVER, TERMINAL, Attempt, Ended, Session, SessionState, State
from shike.operate.sayings import sentence
from shike.operate.waterfall import Bar, Evidence, Kind, Point, Status, bars, points, promoted_at, route_of, seconds
from shike.store.children import UNTIL_FREED
from shike.store.past import Pause
from shike.worker.serving import unpack

SLOW_MICROS: Final = 250_000  # a store that takes longer to answer one claim is slow
SHORT_MICROS: Final = 50_000  # nobody asks why so short a wait was
SHARE_TOLD: Final = 0.1  # of the lateness: causes of less are left out of the sentence
PLANNERS: Final = ("node", "all")
WORKERS: Final = ("worker", "all")


class Cause(StrEnum):
    """Why nothing happened."""

    NOT_PLANNED = "not_planned"  # no scheduler was running, or it was behind
    NO_WORKER = "no_worker"  # none was running that serves the queue
    BUSY = "busy"  # all slots of the worker that took it were taken
    PAUSED = "paused"  # its queue was
    GATE = "gate"  # overlap: runs before it were not over
    PARENTS = "parents"  # runs that it depends on were not over
    APPROVAL = "approval"  # a person had not said yes
    MOVED = "moved"  # somebody put it off
    BACKOFF = "backoff"  # it rested between two attempts
    SNOOZED = "snoozed"  # its handler asked to be called again later
    LOST = "lost"  # the process that had it died, and its lease had to run out
    ROUTER = "router"  # it waited in the hall for a router's decision
    LANE = "lane"  # it waited in the lane of the worker that was chosen
    STORE = "store"  # the store was slow
    CLAIMED = "claimed"  # granted, and not begun yet
    PICKED_UP = "picked_up"  # the moment that a claim takes
    AHEAD = "ahead"  # its time has not come
    UNKNOWN = "unknown"


class Trace(Struct, frozen=True, kw_only=True):
    """The whole story of a run."""

    run: str
    task: str
    state: str
    due_at: int
    late_micros: int  # from due_at to the start of the first attempt, or to now where there was none; never negative
    why: str  # one sentence
    points: tuple[Point, ...]
    bars: tuple[Bar, ...]  # by their starts


def trace(seen: Evidence, zone: tzinfo | None = UTC) -> Trace:
    """Points, bars and causes of one run; clock times within words are in that zone, None: this
    machine's."""
    run, waits = seen.known.run, list(_waits(seen, zone))
    started = next((one.started_at for one in seen.attempts if one.started_at), NEVER)
    if started == NEVER:
        started = seen.known.ended_at if isinstance(seen.known, Ended) else seen.now
    late = max(started - run.due_at, 0)
    drawn = sorted([*waits, *bars(seen)], key=lambda bar: (bar.start, bar.depth, bar.end))
    return Trace(
        run=str(run.id), task=run.task, state=seen.known.state.name, due_at=run.due_at, late_micros=late,
        why=_why(late, because(run.due_at, late, waits)), points=points(seen), bars=tuple(drawn),
    )  # fmt: skip


def because(due_at: int, late_micros: int, drawn: Iterable[Bar]) -> list[Bar]:
    """The waits that made a run late, but for those that hardly did; none where it was on time."""
    if late_micros < SHORT_MICROS:
        return []
    waits = [bar for bar in drawn if bar.kind is Kind.WAIT and bar.start < due_at + late_micros]
    return [bar for bar in waits if bar.end - bar.start >= max(late_micros * SHARE_TOLD, 1)]


def _why(late: int, told: Sequence[Bar]) -> str:
    if late < SHORT_MICROS:
        return "on time"
    words = "; then ".join(dict.fromkeys(bar.words for bar in told))
    return f"{seconds(late)} late: {words or 'nobody wrote down why'}"


def _waits(seen: Evidence, zone: tzinfo | None) -> Iterator[Bar]:
    run = seen.known.run
    since = run.due_at
    if run.created_at > since and run.schedule:
        yield _unplanned(seen, since, run.created_at, zone)
    since = max(since, run.created_at)
    before: Attempt | None = None
    for attempt in seen.attempts:
        claimed = min(attempt.claimed_at, attempt.started_at or attempt.ended_at)
        yield from _until_claimed(seen, before, attempt, since, claimed, zone)
        if attempt.started_at - claimed > SHORT_MICROS:
            yield _wait(
                claimed, attempt.started_at, Cause.CLAIMED, "claimed", attempt.number,
                worker=attempt.worker or "unknown", took=seconds(attempt.started_at - claimed),
            )  # fmt: skip
        if not attempt.started_at:  # nothing was heard of it
            yield _wait(
                claimed, attempt.ended_at, Cause.LOST, "lost", attempt.number,
                number=attempt.number, error=attempt.error or "lost", until=clock(attempt.ended_at, zone),
            )  # fmt: skip
        since, before = max(attempt.ended_at, attempt.started_at), attempt
    if not isinstance(seen.known, Ended):
        yield from _until_now(seen, before, since, zone)
    elif not seen.attempts and seen.known.ended_at > since:
        known = seen.known
        about = {"reason": known.reason} if known.reason else {"state": known.state.name}
        yield _wait(since, known.ended_at, Cause.UNKNOWN, "ended_because" if known.reason else "ended_unbegun", **about)


def _until_claimed(
    seen: Evidence, before: Attempt | None, attempt: Attempt, since: int, claimed: int, zone: tzinfo | None
) -> Iterator[Bar]:
    """What stood between the last that was heard of a run and its next claim."""
    number = attempt.number
    if before is not None:
        eligible = min(max(attempt.eligible_at, since), claimed)
        yield from _rest(before, since, eligible, number)
        since = eligible
    else:
        for bar in _held_back(seen, attempt.eligible_at, since, claimed, zone):
            yield bar
            since = bar.end
    for bar in sorted(_ends(seen, attempt, since, claimed, zone), key=lambda bar: (bar.end, bar.cause, bar.words)):
        if since < bar.end <= claimed:
            yield replace(bar, start=since)
            since = bar.end
    if claimed <= since:
        return
    if attempt.asked_micros >= SLOW_MICROS:
        asked = max(claimed - attempt.asked_micros, since)
        if asked > since:
            yield _wait(since, asked, Cause.UNKNOWN, "unasked", number)
        yield _wait(asked, claimed, Cause.STORE, "store", number, took=seconds(attempt.asked_micros))
    elif claimed - since < SHORT_MICROS:
        yield _wait(since, claimed, Cause.PICKED_UP, "picked_up", number, took=seconds(claimed - since))
    elif before is None and (gate := seen.known.run.gate) and seen.known.run.ties is None:
        yield _wait(since, claimed, Cause.GATE, "permit", number, gate=gate)
    else:
        yield _wait(since, claimed, Cause.UNKNOWN, "unknown", number)


def _held_back(seen: Evidence, eligible: int, since: int, claimed: int, zone: tzinfo | None) -> Iterator[Bar]:
    """Of a first attempt: what it had to wait for before it could be claimed by anybody."""
    run, promoted = seen.known.run, promoted_at(seen)
    if run.ties is not None:
        parents = min(max(promoted, since), claimed)
        if parents > since:
            yield _wait(since, parents, Cause.PARENTS, "parents", until=clock(parents, zone))
            since = parents
        approved = min(eligible, claimed)
        if run.ties.approval_seconds and approved > since:
            yield _wait(since, approved, Cause.APPROVAL, "approval", until=clock(approved, zone))
        return
    if since < promoted <= claimed:
        yield _wait(since, promoted, Cause.GATE, "gate", until=clock(promoted, zone))
        since = promoted
    if since < eligible <= claimed:
        yield _wait(since, eligible, Cause.MOVED, "moved", until=clock(eligible, zone))


def _rest(before: Attempt, since: int, until: int, number: int) -> Iterator[Bar]:
    if until <= since:
        return
    if before.state is State.SCHEDULED:
        yield _wait(since, until, Cause.SNOOZED, "snoozed", number, took=seconds(until - since))
    else:
        took = seconds(until - since)
        yield _wait(since, until, Cause.BACKOFF, "backoff", number, took=took, number=before.number)


def _ends(seen: Evidence, attempt: Attempt, since: int, claimed: int, zone: tzinfo | None) -> Iterator[Bar]:
    """All that was in the way after `since`, each until the instant when it no more was."""
    run, number = seen.known.run, attempt.number
    queue = queue_of(run.queue)
    for what, name, pause in _pauses(seen):
        if pause.since <= claimed and since < pause.until <= claimed:
            about = {what: name, "until": clock(pause.until, zone)} | ({"reason": pause.reason} if pause.reason else {})
            saying = f"{what}_paused_because" if pause.reason else f"{what}_paused"
            yield _wait(since, pause.until, Cause.PAUSED, saying, number, **about)
    back = _absent_until(_serving(seen.sessions, queue), since, claimed)
    if back > since:
        yield _wait(since, back, Cause.NO_WORKER, "no_worker", number, queue=queue, until=clock(back, zone))
    if since < attempt.room_at <= claimed:
        yield _busy(attempt, queue, since, zone)
    decided = [note for note in seen.decisions if since < note.claimed_at <= claimed]
    if decided and is_hall(run.queue):
        yield _wait(since, decided[0].claimed_at, Cause.ROUTER, "hall", number, strategy=route_of(run))
    elif decided:
        yield _wait(since, decided[0].claimed_at, Cause.ROUTER, "routed", number)
    if (last := _decision(seen, claimed)) is not None and claimed - max(last.claimed_at, since) >= SHORT_MICROS:
        yield _wait(since, claimed, Cause.LANE, "lane", number, worker=last.worker)


def _pauses(seen: Evidence) -> list[tuple[str, str, Pause]]:
    """What was paused, and when: its queue, its task."""
    queue, task = queue_of(seen.known.run.queue), seen.known.run.task
    return [*(("queue", queue, pause) for pause in seen.pauses), *(("task", task, pause) for pause in seen.task_pauses)]


def _busy(attempt: Attempt, queue: str, since: int, zone: tzinfo | None) -> Bar:
    count = abs(attempt.slots)
    about: dict[str, str | int] = {"worker": attempt.worker, "until": clock(attempt.room_at, zone)}
    saying = "all_busy" if count > 1 else "only_busy"
    if count > 1:
        about["slots"] = count
    if attempt.slots < 0:
        saying, about = f"{saying}_of_queue", about | {"queue": queue}
    return _wait(since, attempt.room_at, Cause.BUSY, saying, attempt.number, **about)


def _decision(seen: Evidence, until: int) -> Attempt | None:
    return next((note for note in reversed(seen.decisions) if note.claimed_at <= until), None)


def _until_now(seen: Evidence, before: Attempt | None, since: int, zone: tzinfo | None) -> Iterator[Bar]:
    """Of a run that is not over: what it is waiting for, or that it runs."""
    known, now = seen.known, seen.now
    if isinstance(known, Ended) or known.state in TERMINAL or now <= since:
        return
    number = before.number + 1 if before is not None else 1
    if known.state is State.RUNNING:
        yield Bar(
            kind=Kind.RUN, label=f"attempt {number}", start=since, end=now, status=Status.OPEN, attempt=number,
            words="under way",
        )  # fmt: skip
        return
    if known.state is State.WAITING:
        asks = is_limit_gate(known.run.gate) and known.run_at < UNTIL_FREED
        cause = Cause.PARENTS if known.run.ties is not None and not asks else Cause.GATE
        yield _wait(since, now, cause, "gate_now", number, Status.OPEN, gate=known.run.gate)
        return
    if before is not None and known.run_at > since:
        rest = min(known.run_at, now)
        yield from _rest(before, since, rest, number)
        since = rest
    if known.run_at > now:
        if now > since:
            yield _wait(since, now, Cause.AHEAD, "ahead", number, Status.OPEN, left=seconds(known.run_at - now))
        return
    paused = next((one for one in _pauses(seen) if one[2].until == NEVER), None)
    queue = queue_of(known.run.queue)
    if paused is not None:
        what, name, pause = paused
        about = {what: name} | ({"reason": pause.reason} if pause.reason else {})
        saying = f"{what}_paused_now_because" if pause.reason else f"{what}_paused_now"
        yield _wait(since, now, Cause.PAUSED, saying, number, Status.OPEN, **about)
    elif not any(_lives(one, now) for one in _serving(seen.sessions, queue)):
        yield _wait(since, now, Cause.NO_WORKER, "no_worker_now", number, Status.OPEN, queue=queue)
    elif (last := _decision(seen, now)) is not None:
        yield _wait(since, now, Cause.LANE, "lane_now", number, Status.OPEN, worker=last.worker)
    else:
        yield _wait(since, now, Cause.BUSY, "busy_now", number, Status.OPEN)


def _unplanned(seen: Evidence, since: int, planned: int, zone: tzinfo | None) -> Bar:
    nodes = [one for one in seen.sessions if one.kind in PLANNERS]
    back = _absent_until(nodes, since, planned)
    if back > since:
        return _wait(since, planned, Cause.NOT_PLANNED, "no_scheduler", until=clock(back, zone))
    return _wait(since, planned, Cause.NOT_PLANNED, "planned_late", took=seconds(planned - since))


def _serving(sessions: Iterable[Session], queue: str) -> list[Session]:
    """The workers that say that they serve a queue, or do not say."""
    workers = [one for one in sessions if one.kind in WORKERS]
    return [one for one in workers if (served := unpack(one.load).queues) is None or queue in served]


def _lives(session: Session, at: int) -> bool:
    return session.started_at <= at and (session.state is SessionState.OPEN or session.closed_at > at)


def _absent_until(sessions: Sequence[Session], since: int, until: int) -> int:
    """If there was an instant from `since` to `until` at which none of them lived: when the next one was there. 0:
    there always was one, or nobody remembers."""
    if not sessions:
        return 0
    starts = sorted(one.started_at for one in sessions if since < one.started_at <= until)
    return max((at for at in starts if not any(_lives(one, at - 1) for one in sessions)), default=0)


def _wait(
    start: int,
    end: int,
    cause: Cause,
    saying: str,
    attempt: int = 1,
    status: Status = Status.OK,
    /,
    **about: str | int,
) -> Bar:
    return Bar(
        kind=Kind.WAIT, label=cause.replace("_", " "), start=start, end=end, status=status, attempt=attempt,
        cause=cause, words=sentence(saying, about), saying=saying, about=about,
    )  # fmt: skip


def clock(micros: int, zone: tzinfo | None) -> str:
    """10:00:01.9, as a clock in that zone shows it."""
    at = to_datetime(micros).astimezone(zone)
    return f"{at:%H:%M:%S}.{at.microsecond // 100_000}"

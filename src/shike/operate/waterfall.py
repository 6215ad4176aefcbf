"""The life of a run as points and gaps (R0.9, R2.9): what was written down, and why nothing happened in between.

Pure: everything it looks at is in `Evidence`, which `shike.operate.traces` reads from a store. A point's id is made of
the run, the attempt and its place, so that it is the same whenever the trace is derived. Instants are the store's, in
UTC µs; those that a worker noted are its own idea of the store's clock, and are put in order where they contradict it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from shike.attempts import OUTSIDE, UserStep
from shike.clock import MICROS
from shike.lanes import is_hall
from shike.model import NEVER, Attempt, Ended, Gang, Live, Run, Session, State
from shike.store.past import Pause
from shike.track.settle import options_of


class Status(StrEnum):
    """How a point or a stretch came out."""

    OK = "ok"
    FAILED = "failed"
    OPEN = "open"  # it is not over


class Before(Struct, frozen=True, kw_only=True):
    """A run that was before this one at a gate."""

    run_id: int
    ended_at: int  # NEVER: it is not over


class Evidence(Struct, frozen=True, kw_only=True):
    """All that is known of a run and of what was around it."""

    known: Live | Ended
    now: int
    attempts: Sequence[Attempt] = ()  # oldest first
    decisions: Sequence[Attempt] = ()  # of routers, oldest first
    sessions: Sequence[Session] = ()  # all that are remembered
    pauses: Sequence[Pause] = ()  # of its queue
    task_pauses: Sequence[Pause] = ()  # of its task
    before: Sequence[Before] = ()  # of its schedule, where it waits at a gate
    parents_ended_at: int = NEVER  # the last of those that it depends on
    gathers: bool = False  # its gang has no go yet


class Point(Struct, frozen=True, kw_only=True):
    """A named instant, or stretch, in the life of a run."""

    id: str
    run: str
    attempt: int  # 0: of none
    step: str  # planned, due, promoted, routed, claimed, started, ended, acked; or `step NAME`, of the user's own
    status: Status
    at: int
    duration_ms: float = 0.0
    depth: int = 0
    words: str = ""


class Kind(StrEnum):
    """What a stretch of a run's life was."""

    WAIT = "wait"  # nothing happened, and `Bar.cause` says why
    RUN = "run"  # a handler worked
    STEP = "step"  # … on this
    ACK = "ack"  # the report was on its way


class Bar(Struct, frozen=True, kw_only=True):
    """One stretch of the waterfall."""

    kind: Kind
    label: str
    start: int
    end: int
    status: Status
    attempt: int = 0
    depth: int = 0
    cause: str = ""  # a `Cause` of `shike.operate.autopsy`
    words: str = ""
    saying: str = ""  # of a wait: which of the SENTENCES of `shike.operate.sayings` its words are
    about: dict[str, str | int] = {}  # … and what stands in their blanks


def points(seen: Evidence) -> tuple[Point, ...]:
    """Every trace point, in order of time."""
    run = seen.known.run
    found = [_point(run, 0, "planned" if run.schedule else "submitted", run.created_at)]
    found.append(_point(run, 0, "due", run.due_at))
    found += [_point(run, 0, "routed", note.claimed_at, words=f"to {note.worker}") for note in seen.decisions]
    for attempt in seen.attempts:
        found += _of_attempt(run, attempt)
    if (promoted := promoted_at(seen)) != NEVER:
        found.append(_point(run, 0, "promoted", promoted))
    if isinstance(seen.known, Ended):
        reported_at = max((attempt.ended_at for attempt in seen.attempts), default=NEVER)
        acked_at = max(seen.known.ended_at, reported_at)  # two clocks wrote them
        found.append(_point(run, _last(seen), "acked", acked_at, words=seen.known.state.name.lower()))
    ordered = sorted((one for one in found if one.at != NEVER), key=lambda one: one.at)
    return tuple(_numbered(one, place) for place, one in enumerate(ordered))


def bars(seen: Evidence) -> list[Bar]:
    """What handlers did, and how long reports took; the waits in between are `autopsy`'s."""
    found = []
    for number, attempt in enumerate(seen.attempts):
        if not attempt.started_at:
            continue
        status = Status.OK if attempt.state in (State.SUCCESS, State.SCHEDULED) else Status.FAILED
        end = max(attempt.ended_at, attempt.started_at)
        words = attempt.error or attempt.state.name.lower()
        found.append(
            Bar(
                kind=Kind.RUN, label=f"attempt {attempt.number}", start=attempt.started_at, end=end, status=status,
                attempt=attempt.number, words=words,
            )
        )  # fmt: skip
        for step, depth in steps_of(attempt):
            found.append(
                Bar(
                    kind=Kind.STEP, label=step.name, start=step.started_at, end=step.started_at + step.micros,
                    status=Status.FAILED if step.error else Status.OK, attempt=attempt.number, depth=depth,
                    words=step.error,
                )
            )  # fmt: skip
        is_last = number == len(seen.attempts) - 1
        if is_last and isinstance(seen.known, Ended) and seen.known.ended_at > end:
            acked = seen.known.ended_at
            found.append(
                Bar(kind=Kind.ACK, label="acknowledgement", start=end, end=acked, status=Status.OK,
                    attempt=attempt.number)
            )  # fmt: skip
    return found


def steps_of(attempt: Attempt) -> Iterator[tuple[UserStep, int]]:
    """The user's steps with how deep they lie, each behind the one that it lies in."""
    steps = attempt.spans or tuple(UserStep(name, at, micros) for name, at, micros in attempt.steps)
    inner: dict[int, list[int]] = {}
    for place, step in enumerate(steps):  # a record of a newer program may say what is not so
        inner.setdefault(step.inside if OUTSIDE <= step.inside < place else OUTSIDE, []).append(place)
    waiting = [(place, 1) for place in reversed(inner.get(OUTSIDE, ()))]
    while waiting:
        place, depth = waiting.pop()
        yield steps[place], depth
        waiting += [(one, depth + 1) for one in reversed(inner.get(place, ()))]


def promoted_at(seen: Evidence) -> int:
    """When what it waited for let it go; NEVER: nothing held it back, or it is not known."""
    run = seen.known.run
    if run.ties is not None and seen.parents_ended_at != NEVER:
        return seen.parents_ended_at
    if not run.gate or run.ties is not None:
        return NEVER
    started = seen.attempts[0].claimed_at if seen.attempts else seen.now
    ends = [one.ended_at for one in seen.before if NEVER < one.ended_at <= started and one.ended_at > run.due_at]
    return max(ends, default=NEVER)


def gang_of(run: Run) -> Gang | None:
    """The gang that a run begins with, if it has one."""
    try:
        return options_of(run.options).gang if run.options else None
    except ValueError:  # a newer program's
        return None


def route_of(run: Run) -> str:
    """The strategy that a run asks for; empty: whoever is free."""
    if not is_hall(run.queue):
        return ""
    try:
        route = options_of(run.options).route
    except ValueError:  # a newer program's
        return ""
    return route.by if route is not None else ""


def seconds(micros: int) -> str:
    """A length in words: 0.4 ms, 80 ms, 1.9 s, 4.5 min, 2.1 h."""
    if micros < MICROS:
        return f"{micros / 1_000:.1f} ms" if micros < 10_000 else f"{micros / 1_000:.0f} ms"
    length, unit = micros / MICROS, "s"
    for factor, larger in ((60.0, "min"), (60.0, "h"), (24.0, "d")):
        if length < 2 * factor:
            break
        length, unit = length / factor, larger
    return f"{length:.1f} {unit}"


def _last(seen: Evidence) -> int:
    return seen.attempts[-1].number if seen.attempts else 0


def _of_attempt(run: Run, attempt: Attempt) -> list[Point]:
    claimed = min(attempt.claimed_at, attempt.started_at or attempt.ended_at)
    who = f"by {attempt.worker}" if attempt.worker else ""
    found = [_point(run, attempt.number, "claimed", claimed, words=who)]
    if attempt.started_at:
        found.append(_point(run, attempt.number, "started", attempt.started_at))
    for step, depth in steps_of(attempt):
        status = Status.FAILED if step.error else Status.OK
        found.append(
            _point(run, attempt.number, f"step {step.name}", step.started_at, status, step.micros, depth, step.error)
        )
    status = Status.OK if attempt.state in (State.SUCCESS, State.SCHEDULED) else Status.FAILED
    took = attempt.ended_at - attempt.started_at if attempt.started_at else 0
    words = attempt.error or attempt.state.name.lower()
    return [*found, _point(run, attempt.number, "ended", attempt.ended_at, status, took, words=words)]


def _point(
    run: Run,
    attempt: int,
    step: str,
    at: int,
    status: Status = Status.OK,
    micros: int = 0,
    depth: int = 0,
    words: str = "",
) -> Point:
    return Point(
        id="", run=str(run.id), attempt=attempt, step=step, status=status, at=at,
        duration_ms=round(max(micros, 0) / 1_000, 3), depth=depth, words=words,
    )  # fmt: skip


def _numbered(point: Point, place: int) -> Point:
    return Point(
        id=f"{point.run}.{point.attempt}.{place}", run=point.run, attempt=point.attempt, step=point.step,
        status=point.status, at=point.at, duration_ms=point.duration_ms, depth=point.depth, words=point.words,
    )  # fmt: skip

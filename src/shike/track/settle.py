"""From how an attempt ended to what its run becomes: pure, total, and the only place that decides it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from shike.attempts import Failure, LogLine, UserStep
from shike.bounds import ERROR_CHARS_MAX, LOG_SUCCESS_LINES
from shike.clock import MICROS
from shike.errors import BadInput
from shike.model import NEVER, RECORD_VERSION, TERMINAL, Attempt, Backoff, Misfire, Options, Run, State
from shike.store.guards import Choose, Entry, Insert, PlanNext
from shike.store.verbs import Ack, Claimed
from shike.task import Definition
from shike.track.retry import pause_seconds

NO_OPTIONS = Options()
_options = msgspec.json.Decoder(Options)
pack_attempt = msgspec.msgpack.Encoder().encode


@lru_cache(maxsize=1024)
def options_of(packed: bytes) -> Options:
    """The options a run carries; raises `BadInput` for what a newer program may have written."""
    try:
        return _options.decode(packed) if packed else NO_OPTIONS
    except ValueError as error:  # msgspec's own errors, and those of broken UTF-8
        raise BadInput(f"the options of this run cannot be read: {error}") from error


def with_gate(packed: bytes, gate: str) -> bytes:
    """The same options, with the gate of its limits, where a run will stand later."""
    return msgspec.json.encode(msgspec.structs.replace(options_of(packed), gate=gate)) if gate else packed


class Grant(msgspec.Struct, frozen=True, gc=False):
    """How a worker came by a batch: what it knew when it asked, for the question why a run began so late."""

    slots: int = 0  # that it has; below 0: how many of them this queue may have
    asked_micros: int = 0  # from its question to the store's answer
    room_at: int = NEVER  # since when it had room for this queue; NEVER: as long as it remembers


NO_GRANT = Grant()


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What is known of an attempt when it ends."""

    claimed: Claimed
    session: str
    worker: str
    claimed_at: int
    started_at: int
    ended_at: int
    grant: Grant = NO_GRANT
    spans: tuple[UserStep, ...] = ()
    lines: tuple[LogLine, ...] = ()
    lost: int = 0
    failure: Failure | None = None
    traceparent: str = ""


def refusal(claimed: Claimed, now: int) -> str:
    """Why this run must not start any more, though it was granted; empty: it may.

    Expiry is the caller's word, misfire the schedule's: `SKIP` drops what is late, `ONCE` drops what is late
    and has a successor that is due as well, `ALL` drops nothing, `WITHIN` what is older than its window. Both ask
    whether it *starts* in time: what started once and comes back, or was put off on purpose, is never too late.
    """
    run = claimed.run
    if claimed.attempt > 1 or claimed.run_at > run.due_at:
        return ""
    if run.expires_at and now >= run.expires_at:
        return "expired: not started in time"
    if not run.misfire_seconds or now - run.due_at <= run.misfire_seconds * MICROS:
        return ""
    late = (now - run.due_at) / MICROS
    if run.misfire is Misfire.SKIP or run.misfire is Misfire.WITHIN:
        return f"missed: {late:.0f} s late"
    if run.misfire is Misfire.ONCE and NEVER < run.next_due_at <= now:
        return "coalesced: a later moment runs in its place"
    return ""


def succeeded(facts: Facts, result: bytes) -> Ack:
    claimed = facts.claimed
    run = claimed.run
    return Ack(
        run.id,
        claimed.token,
        State.SUCCESS,
        0.0,
        0,
        "",
        result,
        _trace(facts, State.SUCCESS),
    )


def failed(facts: Facts, error: str, traceback: str, policy: Backoff, draw: Callable[[], float]) -> Ack:
    """A failure is tried again as its policy says; after the last attempt the run goes to the dead letters."""
    pause = pause_seconds(policy, facts.claimed.attempt, draw)
    if pause is None:
        return dead(facts, error, traceback)
    return retried(facts, error, traceback, pause, 0)


def retried(facts: Facts, error: str, traceback: str, seconds: float, at: int) -> Ack:
    claimed = facts.claimed
    trace = _trace(facts, State.FAILED, error, traceback)
    return Ack(claimed.run.id, claimed.token, State.FAILED, seconds, at, error[:ERROR_CHARS_MAX], b"", trace)


def dead(facts: Facts, error: str, traceback: str = "") -> Ack:
    claimed = facts.claimed
    trace = _trace(facts, State.DEAD, error, traceback)
    return Ack(claimed.run.id, claimed.token, State.DEAD, 0.0, 0, error[:ERROR_CHARS_MAX], b"", trace)


def crashed(facts: Facts, error: str) -> Ack:
    """The process that the run had to itself died over it: not a failure that its policy counts, but a crash."""
    claimed = facts.claimed
    trace = _trace(facts, State.FAILED, error)
    return Ack(claimed.run.id, claimed.token, State.FAILED, reason=error[:ERROR_CHARS_MAX], trace=trace, died=True)


def snoozed(facts: Facts, seconds: float) -> Ack:
    claimed = facts.claimed
    return Ack(
        claimed.run.id, claimed.token, State.SCHEDULED, seconds, 0, "snoozed", b"", _trace(facts, State.SCHEDULED)
    )


def cancelled(facts: Facts, reason: str) -> Ack:
    claimed = facts.claimed
    trace = _trace(facts, State.CANCELLED, reason)
    return Ack(claimed.run.id, claimed.token, State.CANCELLED, 0.0, 0, reason[:ERROR_CHARS_MAX], b"", trace)


def skipped(claimed: Claimed, reason: str) -> Ack:
    """Granted, but it must not start any more: no attempt was made."""
    return Ack(claimed.run.id, claimed.token, State.SKIPPED, 0.0, 0, reason, b"", b"")


def withdrawn(claimed: Claimed, reason: str) -> Ack:
    """Granted, and called off before it began: no attempt was made."""
    return Ack(claimed.run.id, claimed.token, State.CANCELLED, 0.0, 0, reason)


def unfit(claimed: Claimed, reason: str) -> Ack:
    """Granted, and it can never begin: a dead letter, without an attempt."""
    return Ack(claimed.run.id, claimed.token, State.DEAD, 0.0, 0, reason[:ERROR_CHARS_MAX])


def with_choice(ack: Ack, run: Run, value: Any) -> Ack:
    """The same acknowledgement; where children wait for a branch it tells those that a success chose: a text that was
    returned, or each of a list of texts."""
    if ack.state is not State.SUCCESS or run.ties is None or not any(link.when for link in run.ties.before):
        return ack
    words = [value] if isinstance(value, str) else value if isinstance(value, list | tuple | set | frozenset) else []
    known = {link.when for link in run.ties.before if link.when}
    branches = tuple(sorted({str(word) for word in words if isinstance(word, str)} & known))
    return msgspec.structs.replace(ack, effects=(*ack.effects, Choose(branches))) if branches else ack


def given_back(claimed: Claimed) -> Ack:
    """Granted and not begun: eligible again at once, for anybody. The attempt is refunded, the token is not."""
    return Ack(claimed.run.id, claimed.token, State.SCHEDULED, 0.0, claimed.run_at)


def put_off(claimed: Claimed, seconds: float, reason: str) -> Ack:
    """Granted and not begun: eligible again after a while. The attempt is refunded."""
    return Ack(claimed.run.id, claimed.token, State.SCHEDULED, seconds, 0, reason)


def with_repeat(ack: Ack, run: Run, take_id: Callable[[], int]) -> Ack:
    """The same acknowledgement; where it ends a run of a fixed-delay schedule, it plans the next moment with it."""
    seconds = options_of(run.options).repeat_seconds
    if seconds is None or ack.state not in TERMINAL:
        return ack
    following = msgspec.structs.replace(run, id=take_id(), ordinal=run.ordinal + 1, created_at=NEVER, next_due_at=NEVER)
    effect = PlanNext(run.schedule, run.schedule_version, seconds, Entry(following))
    return msgspec.structs.replace(ack, effects=(*ack.effects, effect))


def with_news(
    ack: Ack, run: Run, tellers: Sequence[Definition], take_id: Callable[[], int], encode: Callable[[bytes], bytes]
) -> Ack:
    """The same acknowledgement, which ends its run; in the same step it submits a run of each of these tasks, whose
    handler is to tell of that end."""
    args = encode(msgspec.json.encode({"run_id": str(run.id)}))
    effects = [
        Insert(Entry(Run(RECORD_VERSION, take_id(), one.name, args, one.queue, one.band), delay_seconds=0.0))
        for one in tellers
    ]
    return msgspec.structs.replace(ack, effects=(*ack.effects, *effects))


def _trace(facts: Facts, state: State, error: str = "", traceback: str = "") -> bytes:
    return pack_attempt(
        Attempt(
            RECORD_VERSION,
            facts.claimed.attempt,
            facts.claimed.token,
            facts.session,
            state,
            facts.claimed_at,
            facts.started_at,
            facts.ended_at,
            error[:ERROR_CHARS_MAX],
            traceback[-ERROR_CHARS_MAX:],
            (),
            facts.worker,
            facts.claimed.run_at,
            facts.grant.room_at,
            facts.grant.slots,
            facts.grant.asked_micros,
            facts.spans,
            facts.lines if state is not State.SUCCESS else facts.lines[-LOG_SUCCESS_LINES:],
            facts.lost,
            facts.failure,
            facts.traceparent,
        )
    )

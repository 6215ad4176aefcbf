"""What a handler's end means: from a value, an exception or a stop to an acknowledgement. Pure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from msgspec import structs

from shike.bounds import DURATION_SECONDS_MAX
from shike.errors import BadArguments, BadTime, CallRefused, ContainerRefused, HandlerTimeout, TooLarge
from shike.model import Backoff
from shike.store.verbs import Ack
from shike.task import Definition, Outcome
from shike.track import settle
from shike.track.failures import failure_of_text
from shike.worker.executor import HandlerFailed
from shike.worker.failure import describe, printable
from shike.worker.outcome import Cancel, Retry, Snooze

Draw = Callable[[], float]


class Stop(StrEnum):
    """Why a handler is being stopped by its worker."""

    NO = ""
    TIMEOUT = "timeout"  # a failure like any other
    CANCELLED = "cancelled"  # somebody asked for it: final
    LOST = "lost"  # the lease is gone: nothing that is said about this attempt would be believed
    STOPPING = "stopping"  # the worker goes away: the run is given back


def returned(facts: settle.Facts, definition: Definition, value: Any) -> Ack:
    """A handler came back with a value, or with an outcome. One that cannot be kept or followed is a dead letter:
    trying again would do the work twice and fail the same way."""
    try:
        return _meant(facts, definition, value)
    except (BadArguments, TooLarge, BadTime) as error:
        return dead(facts, error)


def dead(facts: settle.Facts, error: BaseException) -> Ack:
    """A failure for good, before the handler began or after it came back."""
    told = describe(error)
    return settle.dead(_with(facts, told), told.error)


def crashed(facts: settle.Facts, error: BaseException) -> Ack:
    """The process that the run had to itself died over it."""
    told = describe(error)
    return settle.crashed(_with(facts, told), told.error)


def _with(facts: settle.Facts, told: HandlerFailed) -> settle.Facts:
    """As the failure is kept: taken apart, also where only its text came."""
    return structs.replace(facts, failure=told.failure or failure_of_text(told.error))


def _meant(facts: settle.Facts, definition: Definition, value: Any) -> Ack:
    if isinstance(value, Outcome):
        match value:
            case Snooze(seconds):
                return settle.snoozed(facts, _pause(seconds))
            case Cancel(reason):
                return settle.cancelled(facts, printable(str(reason)) or "the handler cancelled itself")
            case Retry():
                return _asked_to_retry(facts, definition, value)
    ack = settle.succeeded(facts, definition.encode_result(value) if _keeps(facts, definition) else b"")
    run = facts.claimed.run
    return ack if run.ties is None else settle.with_choice(ack, run, value)


def raised(facts: settle.Facts, definition: Definition, error: BaseException, draw: Draw) -> Ack:
    """A handler came back with an exception, of whatever kind: a failure of this run, never of the worker."""
    told = error if isinstance(error, HandlerFailed) else describe(error)
    facts = _with(facts, told)
    if isinstance(error, CallRefused | ContainerRefused):  # asking again would change nothing
        return settle.dead(facts, told.error)
    return settle.failed(facts, told.error, told.traceback, _policy(facts, definition), draw)


def stopped(facts: settle.Facts, definition: Definition, why: Stop, reason: str, draw: Draw) -> Ack | None:
    """A handler was made to stop. None: there is nothing to say."""
    match why:
        case Stop.TIMEOUT:
            return raised(facts, definition, HandlerTimeout(reason), draw)
        case Stop.CANCELLED:
            return settle.cancelled(facts, reason or "cancelled")
        case Stop.STOPPING:
            return settle.given_back(facts.claimed)
        case _:
            return None


def judge(
    facts: settle.Facts,
    definition: Definition,
    value: Any,
    error: BaseException | None,
    why: Stop,
    reason: str,
    draw: Draw,
) -> Ack | None:
    """The acknowledgement of an attempt that may have been stopped while it ended by itself.

    What a handler raises after a time-out says more than the time-out; after any other stop it changes nothing.
    """
    if why is Stop.LOST:
        return None
    if error is None:
        return returned(facts, definition, value)
    if why and (why is not Stop.TIMEOUT or isinstance(error, asyncio.CancelledError)):
        return stopped(facts, definition, why, reason, draw)
    return raised(facts, definition, error, draw)


def _asked_to_retry(facts: settle.Facts, definition: Definition, wish: Retry) -> Ack:
    reason = printable(str(wish.reason)) or "the handler asked to be tried again"
    if facts.claimed.attempt >= _policy(facts, definition).attempts:
        return settle.dead(facts, reason)
    at = max(wish.at_micros(), 1) if wish.at is not None else 0
    return settle.retried(facts, reason, "", _pause(wish.seconds), at)


def _pause(seconds: float) -> float:
    """A pause a store can take; raises `BadTime` for one that is negative, endless or no number."""
    if not isinstance(seconds, int | float) or not 0 <= seconds <= DURATION_SECONDS_MAX:
        raise BadTime(f"a pause of {seconds!r} s: give a number from 0 to {DURATION_SECONDS_MAX:,}")
    return seconds


def _policy(facts: settle.Facts, definition: Definition) -> Backoff:
    return settle.options_of(facts.claimed.run.options).retry or definition.retry


def _keeps(facts: settle.Facts, definition: Definition) -> bool:
    packed = facts.claimed.run.options
    wish = settle.options_of(packed).keep_result if packed else None
    return definition.keep_result if wish is None else wish

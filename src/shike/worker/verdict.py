"""What a handler's end means: from a value, an exception or a stop to an acknowledgement. Pure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from traceback import format_exception
from typing import Any

from shike.errors import BadArguments, BadTime, HandlerTimeout, TooLarge
from shike.model import Backoff
from shike.store.base import Ack
from shike.task import NO_RESULT, Definition
from shike.track import settle
from shike.worker.executor import HandlerFailed
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
    """A handler came back with a value, or with an outcome."""
    if value is None:
        return settle.succeeded(facts, NO_RESULT if _keeps(facts, definition) else b"")
    match value:
        case Snooze(seconds):
            return settle.snoozed(facts, seconds)
        case Cancel(reason):
            return settle.cancelled(facts, reason or "the handler cancelled itself")
        case Retry():
            return _asked_to_retry(facts, definition, value)
    try:
        return settle.succeeded(facts, definition.encode_result(value) if _keeps(facts, definition) else b"")
    except (BadArguments, TooLarge) as error:  # trying again would do the work twice and fail the same way
        return settle.dead(facts, f"{type(error).__name__}: {error}")


def raised(facts: settle.Facts, definition: Definition, error: BaseException, draw: Draw) -> Ack:
    """A handler came back with an exception, of whatever kind: a failure of this run, never of the worker."""
    policy = _policy(facts, definition)
    if isinstance(error, HandlerFailed):
        return settle.failed(facts, error.error, error.traceback, policy, draw)
    text = "".join(format_exception(error, limit=-20))
    return settle.failed(facts, f"{type(error).__name__}: {error}", text, policy, draw)


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
    """The acknowledgement of an attempt that may have been stopped while it ended by itself."""
    if why is Stop.LOST:
        return None
    if why and isinstance(error, asyncio.CancelledError):
        return stopped(facts, definition, why, reason, draw)
    return returned(facts, definition, value) if error is None else raised(facts, definition, error, draw)


def _asked_to_retry(facts: settle.Facts, definition: Definition, wish: Retry) -> Ack:
    reason = wish.reason or "the handler asked to be tried again"
    if facts.claimed.attempt >= _policy(facts, definition).attempts:
        return settle.dead(facts, reason)
    try:
        return settle.retried(facts, reason, "", wish.seconds, wish.at_micros())
    except BadTime as error:
        return settle.dead(facts, f"BadTime: {error}")


def _policy(facts: settle.Facts, definition: Definition) -> Backoff:
    return settle.options_of(facts.claimed.run.options).retry or definition.retry


def _keeps(facts: settle.Facts, definition: Definition) -> bool:
    packed = facts.claimed.run.options
    wish = settle.options_of(packed).keep_result if packed else None
    return definition.keep_result if wish is None else wish

"""When a failed run is tried again (R0.12)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from shike.bounds import ATTEMPTS_MAX, RETRY_DELAY_SECONDS_MAX
from shike.errors import BadSetting
from shike.model import Backoff, Growth

FACTOR_MAX = 1_000.0  # a second becomes a week within three failures; and no power of it overflows


def check(policy: Backoff) -> Backoff:
    """The policy itself, if it can be followed; raises `BadSetting` that says what cannot."""
    try:
        policy = msgspec.convert(msgspec.to_builtins(policy), Backoff)  # a struct does not look at what it is made of
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise BadSetting(f"this is no retry policy: {error}") from error
    if not 1 <= policy.attempts <= ATTEMPTS_MAX:
        raise BadSetting(f"attempts={policy.attempts}: between 1 and {ATTEMPTS_MAX}; more often is a schedule")
    if policy.growth is Growth.LISTED and not policy.delays_seconds:
        raise BadSetting("a listed backoff needs at least one delay")
    if policy.growth is Growth.EXPONENTIAL and not 1 <= policy.factor <= FACTOR_MAX:
        raise BadSetting(f"factor={policy.factor}: an exponential backoff grows, by a factor from 1 to {FACTOR_MAX:g}")
    durations = (policy.base_seconds, policy.max_seconds, *policy.delays_seconds)
    if not all(0 <= seconds <= RETRY_DELAY_SECONDS_MAX for seconds in durations):
        raise BadSetting(f"a retry delay must lie between 0 and {RETRY_DELAY_SECONDS_MAX:,.0f} s")
    if not 0 <= policy.jitter <= 1:
        raise BadSetting(f"jitter={policy.jitter}: a share of the pause, between 0 and 1")
    return policy


def pause_seconds(policy: Backoff, failures: int, draw: Callable[[], float]) -> float | None:
    """How long to rest after the `failures`-th failure (from 1); None: that was the last attempt.

    `draw` gives a random number in [0, 1); the jittered pause never passes `max_seconds`.
    """
    if failures >= policy.attempts:
        return None
    pause = min(_grown(policy, failures), policy.max_seconds)
    spread = pause * policy.jitter
    return min(pause - spread + 2 * spread * draw(), policy.max_seconds)


def _grown(policy: Backoff, failures: int) -> float:
    match policy.growth:
        case Growth.FIXED:
            return policy.base_seconds
        case Growth.INCREMENTAL:
            return policy.base_seconds * failures
        case Growth.LISTED:
            return policy.delays_seconds[min(failures, len(policy.delays_seconds)) - 1]
        case Growth.EXPONENTIAL:
            exponent = min(failures - 1, 64)  # beyond it `max_seconds` has long won
            return float(min(policy.base_seconds * policy.factor**exponent, policy.max_seconds))

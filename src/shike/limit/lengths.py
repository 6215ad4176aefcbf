"""Lengths of time and rates, as limits take them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from shike.clock import MICROS
from shike.errors import BadInput, BadLimit
from shike.limit.bounds import LENGTH_SECONDS_MAX, TOKENS_MAX
from shike.trigger.duration import Duration, parse_duration

COUNT_DIGITS_MAX: Final = len(str(TOKENS_MAX))


def micros_of(limit: str, name: str, length: Duration) -> int:
    """A length above 0, in µs; raises `BadLimit`."""
    try:
        micros = parse_duration(length)
    except BadInput as error:
        raise BadLimit(f"{limit}: {name}: {error}", limit=limit) from None
    if not 0 < micros <= LENGTH_SECONDS_MAX * MICROS:
        raise BadLimit(f"{limit}: {name}={length!r} is not above 0 and at most a year", limit=limit)
    return micros


def rate_of(text: str) -> tuple[int, int]:
    """`100/m` as (100, µs of a minute); also `5/10s`. Raises `BadLimit` for a rate of 0 and what is none."""
    return _rate_of(str(text))


@lru_cache(maxsize=1024)
def _rate_of(text: str) -> tuple[int, int]:
    count, slash, period = text.partition("/")
    count = count.strip()
    number = int(count) if count.isascii() and count.isdigit() and len(count) <= COUNT_DIGITS_MAX else 0
    if not slash or not 1 <= number <= TOKENS_MAX:
        raise BadLimit(
            f"rate: {text!r:.40} is no rate; write a count from 1 to {TOKENS_MAX:,} and a period, as in 100/m or 5/10s",
            limit="rate",
        )
    period = period.strip()
    return number, micros_of("rate", "the period", period if period[:1].isdigit() else f"1{period}")


def in_words(micros: int) -> str:
    """A length as people write it."""
    for unit, size in (("d", 86_400 * MICROS), ("h", 3600 * MICROS), ("m", 60 * MICROS)):
        if micros >= size and micros % size == 0:
            return f"{micros // size}{unit}"
    return f"{micros / MICROS:g}s"

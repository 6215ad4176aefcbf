"""How long to wait before asking again: doubling, bounded, and never the same for two who began together."""

from __future__ import annotations

from collections.abc import Iterator

from shike.bounds import LOCK_POLL_SECONDS, LOCK_POLL_SECONDS_MAX
from shike.ids import Entropy


def pauses(entropy: Entropy) -> Iterator[float]:
    """Seconds, without end: each drawn from between half and all of a bound that doubles up to
    LOCK_POLL_SECONDS_MAX."""
    bound = LOCK_POLL_SECONDS
    while True:
        yield bound * (0.5 + 0.5 * entropy.random())
        bound = min(2 * bound, LOCK_POLL_SECONDS_MAX)

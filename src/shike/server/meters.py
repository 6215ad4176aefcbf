"""How much one key or address may ask for: a token bucket each, in memory, of this one server."""

from __future__ import annotations

from collections import OrderedDict

from shike.clock import Clock
from shike.errors import RateLimited
from shike.server.bounds import METERS_MAX


class Meters:
    """Token buckets by name (Turner 1986): each fills by `per_second` up to its burst, and a request takes one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._meters: OrderedDict[str, tuple[float, float]] = OrderedDict()  # name → (tokens, as of)

    def take(self, name: str, per_second: float, burst: float) -> None:
        """Raises `RateLimited`, with how long to wait, where the bucket is empty."""
        now = self._clock.monotonic()
        tokens, since = self._meters.get(name, (burst, now))
        tokens = min(burst, tokens + (now - since) * per_second)
        if tokens < 1.0:
            raise _limited(per_second, tokens)
        self._meters[name] = (tokens - 1.0, now)
        self._meters.move_to_end(name)
        if len(self._meters) > METERS_MAX:
            self._meters.popitem(last=False)


def _limited(per_second: float, tokens: float) -> RateLimited:
    wait = (1.0 - tokens) / per_second
    return RateLimited(f"too many requests: {per_second:g} a second are taken here", retry_after_seconds=wait)

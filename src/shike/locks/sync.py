"""The same locks for code without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from shike.locks.base import LEASE, TIMEOUT, Hold, Locks
from shike.trigger.duration import Duration

T = TypeVar("T")


class SyncHold:
    """A `Hold` for sync code."""

    def __init__(self, locks: SyncLocks, hold: Hold) -> None:
        self._locks, self._hold = locks, hold
        self.name, self.token = hold.name, hold.token

    @property
    def lost(self) -> bool:
        """Whether it is known to be over."""
        return self._hold.lost

    def renew(self) -> None:
        """Begin the lease anew. Raises `LockLost`."""
        self._locks._run(self._hold.renew())

    def release(self) -> bool:
        """Give it back if it is still ours; whether it was."""
        return self._locks._run(self._hold.release())


class SyncLocks:
    """Locks from any thread: `with SyncLocks(RedisLocks(url)) as locks: with locks.hold("report") as held: …`

    They live on an event loop in a thread of its own, so leases are renewed while your code computes. Do not carry it
    over a fork.
    """

    def __init__(self, locks: Locks) -> None:
        self._locks = locks
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="shike:locks", daemon=True)
        self._thread.start()

    def acquire(self, name: str, *, lease: Duration = LEASE, timeout: Duration = TIMEOUT) -> SyncHold:
        """As `Locks.acquire`."""
        return SyncHold(self, self._run(self._locks.acquire(name, lease=lease, timeout=timeout)))

    def acquire_any(self, names: Sequence[str], *, lease: Duration = LEASE, timeout: Duration = TIMEOUT) -> SyncHold:
        """As `Locks.acquire_any`."""
        return SyncHold(self, self._run(self._locks.acquire_any(names, lease=lease, timeout=timeout)))

    @contextmanager
    def hold(self, name: str, *, lease: Duration = LEASE, timeout: Duration = TIMEOUT) -> Iterator[SyncHold]:
        """As `Locks.hold`."""
        block = self._locks.hold(name, lease=lease, timeout=timeout)
        held = self._run(block.__aenter__())
        try:
            yield SyncHold(self, held)
        except BaseException as error:
            if not self._run(block.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            self._run(block.__aexit__(None, None, None))

    def close(self) -> None:
        """Let go of connections and the thread. Idempotent."""
        if self._loop.is_closed():
            return
        self._run(self._locks.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

"""What all locks share: asking again, the hold and its lease. A server adds three questions: take, extend, free."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple, ParamSpec, Self, TypeVar
from weakref import WeakValueDictionary

from shike.bounds import LOCK_ANSWER_SECONDS, LOCK_CONNECTIONS_MAX, LOCK_NAMES_MAX, NAME_CHARS_MAX
from shike.clock import MICROS, Clock, SystemClock
from shike.errors import BadInput, LockBusy, LockLost, StoreUnavailable
from shike.ids import Entropy, SystemEntropy, fresh_identity
from shike.locks.files import checked
from shike.locks.waiting import pauses
from shike.runtime import woken
from shike.trigger.duration import Duration, parse_duration

P = ParamSpec("P")
T = TypeVar("T")
LEASE = "10s"
TIMEOUT = "30s"
UNFREED = (StoreUnavailable, LockBusy)  # a lock that could not be given back: its lease will pass


class Grant(NamedTuple):
    """What a server answers to who took a lock."""

    name: str
    token: int


class Hold:
    """A lock that was granted: its `name`, its `token`, and how long it may be believed.

    `token` is higher than that of every earlier holder of this name; hand it to what the lock protects.
    """

    def __init__(self, locks: Locks, grant: Grant, owner: str, lease_us: int, until: float) -> None:
        self.name, self.token, self.owner = grant.name, grant.token, owner
        self._locks = locks
        self._lease_us = lease_us
        self._until = until
        self._over = False

    @property
    def seconds_left(self) -> float:
        """Until the lease passes, counted from before it was asked for, by a clock that goes on while the machine
        sleeps; 0 when it is over. An answer of the past: only the token protects what comes after."""
        return 0.0 if self._over else max(0.0, self._until - self._locks.clock.boot())

    @property
    def lost(self) -> bool:
        """Whether it is known to be over."""
        return self.seconds_left == 0.0

    async def renew(self) -> None:
        """Begin the lease anew. Raises `LockLost` if it is another's or nobody's by now; a lost lock stays lost."""
        asked_at = self._locks.clock.boot()
        if self.lost or not await self._locks.ask(self._locks._extend, self.name, self.owner, self._lease_us):
            self._over = True
            raise LockLost(
                f"the lease of {self.name!r} passed before it was renewed: stop, and take the lock again",
                name=self.name,
                token=self.token,
            )
        self._until = asked_at + self._lease_us / MICROS

    async def release(self) -> bool:
        """Give it back if it is still ours (compare-and-delete); whether it was. Idempotent."""
        if self._over:
            return False
        freed = await self._locks.ask(self._locks._free, self.name, self.owner)
        self._over = True
        self._locks._freed.set()
        return freed

    async def keep(self) -> None:
        """Renew three times a lease until it is lost; a server that does not answer is asked until then."""
        while not self.lost:
            await asyncio.sleep(min(self._lease_us / MICROS / 3, self.seconds_left))
            try:
                await self.renew()
            except StoreUnavailable:
                continue
            except LockLost:
                return


class Locks(ABC):
    """Named locks on one server, for one event loop at a time. `RedisLocks`, `PostgresLocks`, `MySQLLocks`.

    A lock is a right for a time (its lease), kept by the server's clock. It is advisory, and it may have two believers
    at once: see the package's first lines for what that asks of you. A name is free for all programs with the
    same server and namespace. Waiters of one process queue up in order and ask one at a time; between
    processes whoever asks first after it came free has it, so there is no order, and under heavy contention no
    bound on one process's wait but `timeout`.
    """

    def __init__(self, *, namespace: str = "shike", clock: Clock | None = None, entropy: Entropy | None = None) -> None:
        self.namespace = checked(namespace)
        self.clock = clock or SystemClock()
        self._entropy = entropy or SystemEntropy()
        self._begin()

    def _begin(self) -> None:
        """What belongs to one event loop."""
        self._seats = asyncio.Semaphore(LOCK_CONNECTIONS_MAX)  # one waits here, not at the server, and not against time
        self._freed = asyncio.Event()  # by a holder of this process: ask again at once
        self._turns: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()
        self._opening = asyncio.Lock()  # once, and nobody asks before all is there

    async def acquire(self, name: str, *, lease: Duration = LEASE, timeout: Duration = TIMEOUT) -> Hold:
        """Take a lock, or raise `LockBusy` after `timeout` (0: ask once). Nobody renews it but you."""
        return await self.acquire_any([name], lease=lease, timeout=timeout)

    async def acquire_any(self, names: Sequence[str], *, lease: Duration = LEASE, timeout: Duration = TIMEOUT) -> Hold:
        """Take one of many, the first that is free in the order given: a pool of equal things. At most 100 names."""
        wanted, lease_us = _checked_names(names), parse_duration(lease)
        if lease_us < 1_000:
            raise BadInput(f"a lease of {lease!r} is over before the answer is here; give seconds")
        end = self.clock.monotonic() + parse_duration(timeout) / MICROS
        owner = fresh_identity(self._entropy)
        turn = self._turns.setdefault(wanted, asyncio.Lock())
        try:
            async with asyncio.timeout(max(end - self.clock.monotonic(), 0.001) if turn.locked() else None):
                await turn.acquire()
        except TimeoutError:
            raise _busy(wanted, timeout) from None
        try:
            return await self._poll(wanted, owner, lease_us, end, timeout)
        finally:
            turn.release()

    @asynccontextmanager
    async def hold(self, name: str, *, lease: Duration = LEASE, timeout: Duration = TIMEOUT) -> AsyncIterator[Hold]:
        """Take a lock for a block, renew it meanwhile, and give it back.

        A block that ends well although the lock was lost on the way raises `LockLost`, so that nobody takes its work
        for protected; a block that fails raises its own error. The block is not interrupted: ask `held.lost`.
        """
        held = await self.acquire(name, lease=lease, timeout=timeout)
        keeper = asyncio.create_task(held.keep(), name=f"shike:lock:{name}")
        try:
            yield held
        except BaseException:
            await _stopped(keeper)
            with suppress(*UNFREED):  # the block's own error says more
                await held.release()
            raise
        await _stopped(keeper)
        if not await held.release():
            raise LockLost(
                f"{name!r} was lost while its block ran: others may have worked too", name=name, token=held.token
            )

    async def ask(self, question: Callable[P, Awaitable[T]], *args: P.args, **words: P.kwargs) -> T:
        """One question to the server, within LOCK_ANSWER_SECONDS. Raises `StoreUnavailable`."""
        async with self._seats:
            try:
                async with asyncio.timeout(LOCK_ANSWER_SECONDS):
                    return await question(*args, **words)
            except LockBusy:  # is a TimeoutError, too: the server did answer
                raise
            except TimeoutError:
                raise StoreUnavailable(f"the lock server did not answer within {LOCK_ANSWER_SECONDS:g} s") from None

    async def _poll(self, names: tuple[str, ...], owner: str, lease_us: int, end: float, timeout: Duration) -> Hold:
        for pause_seconds in pauses(self._entropy):
            self._freed.clear()
            asked_at = self.clock.boot()
            grant = await self._take_or_leave(names, owner, lease_us)
            if grant is not None:
                return Hold(self, grant, owner, lease_us, asked_at + lease_us / MICROS)
            left = end - self.clock.monotonic()
            if left <= 0:
                break
            await woken(self._freed, min(pause_seconds, left))
        raise _busy(names, timeout)

    async def _take_or_leave(self, names: tuple[str, ...], owner: str, lease_us: int) -> Grant | None:
        """Take; should the caller be cancelled meanwhile, give back what was granted to nobody."""
        taking = asyncio.ensure_future(self.ask(self._take, names, owner, lease_us))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            await asyncio.wait([taking])
            if not taking.exception() and (grant := taking.result()) is not None:
                with suppress(*UNFREED):
                    await self.ask(self._free, grant.name, owner)
            raise

    @abstractmethod
    async def _take(self, names: tuple[str, ...], owner: str, lease_us: int) -> Grant | None:
        """The first of these that is free or already this owner's, with a token higher than all before; else None."""

    @abstractmethod
    async def _extend(self, name: str, owner: str, lease_us: int) -> bool:
        """Begin the lease anew if the owner's has not passed."""

    @abstractmethod
    async def _free(self, name: str, owner: str) -> bool:
        """End the lease if the owner's has not passed."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, and make what the server needs. Idempotent; the first question does it too."""

    async def close(self) -> None:
        """Let go of connections; another event loop may use it next. Locks that are held stay held until their leases
        pass."""
        self._begin()
        await self._disconnect()

    @abstractmethod
    async def _disconnect(self) -> None:
        """Let go of connections. Idempotent."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _checked_names(names: Sequence[str]) -> tuple[str, ...]:
    if not 0 < len(names) <= LOCK_NAMES_MAX:
        raise BadInput(f"give 1 to {LOCK_NAMES_MAX} names of locks, not {len(names)}")
    for name in names:
        if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARS_MAX or "\0" in name:
            raise BadInput(f"a lock's name is a text of 1 to {NAME_CHARS_MAX} characters without NUL, not {name!r:.60}")
    return tuple(names)


def _busy(names: tuple[str, ...], timeout: Duration) -> LockBusy:
    what = repr(names[0]) if len(names) == 1 else f"any of {len(names)} locks"
    return LockBusy(f"{what} did not come free within {timeout}: wait longer, or do without", names=names)

"""This process in the store: one session at a time, kept alive by one beat a second.

A session renews everything it holds with each beat. It believes itself alive only until its lease, counted on the
boot clock from *before* the last successful beat was sent, is over; then it stops what it does, whatever the store
thinks, and goes on under a new identity. The store, for its part, closes a session once and for ever.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable

from shike.bounds import BEAT_SECONDS, LEASE_SECONDS
from shike.clock import MICROS
from shike.errors import NotFound, SessionClosed, StoreError
from shike.ids import RunIds
from shike.model import PROTOCOL_VERSION, Session
from shike.runtime import Role, Runtime
from shike.store.base import Store
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Beat, BeatReply, NewSession

log = logging.getLogger("shike.session")

BEATS_PER_LEASE_MIN = 3  # of a lease that is shorter than a few beats

Holdings = tuple[int, tuple[int, ...], tuple[tuple[int, int, bytes], ...]]  # received, tokens, progress


def nothing_held() -> Holdings:
    return 0, (), ()


class Member:
    """Joins, beats, notices its own death, joins again."""

    def __init__(
        self, store: Store, runtime: Runtime, *, kind: str, name: str = "", lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._kind = kind
        self._name = name or f"{socket.gethostname()}:{os.getpid()}"
        self._lease_seconds = lease_seconds
        self._valid_until = 0.0  # on the boot clock
        self._number = 0
        self._store_ahead = 0  # store's wall clock minus our monotonic clock, in µs
        self._role: Role | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._rejoin: asyncio.Task[None] | None = None
        self.session: Session | None = None
        self.ids: RunIds | None = None
        self.holdings: Callable[[], Holdings] = nothing_held
        self.on_reply: list[Callable[[BeatReply], None]] = []
        self.on_lost: list[Callable[[str], None]] = []
        self.on_joined: list[Callable[[], None]] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def identity(self) -> str:
        """The present session's identity; raises `SessionClosed` between two lives."""
        if self.session is None:
            raise SessionClosed("this process has no session at the moment; it joins again by itself")
        return self.session.id

    def valid(self) -> bool:
        """Whether the lease, by our own clock and counted carefully, still stands."""
        return self.session is not None and self._runtime.clock.boot() < self._valid_until

    def store_now(self) -> int:
        """What the store's clock shows now, as far as we know: our own wall clock may be wrong, or be set.

        Renewed with each beat, and off by at most half of what that beat took.
        """
        return self._store_ahead + int(self._runtime.clock.monotonic() * MICROS)

    def _learn(self, now: int, sent: float) -> None:
        middle = (sent + self._runtime.clock.monotonic()) / 2
        self._store_ahead = now - int(middle * MICROS)

    async def join(self) -> Session:
        """Open a session and start to beat."""
        self._home = asyncio.get_running_loop()
        session = await self._open()
        if self._role is None:
            self._role = self._runtime.start(self._beats, "beat", apart=self._store.any_thread)
        return session

    async def leave(self, reason: str = "stopped") -> None:
        """Stop to beat and close the session. What it still held is given back by whoever frees it."""
        if self._role is not None:
            await self._role.stop()
            self._role = None
        if self._rejoin is not None:  # after the beats: the last of them may have begun it
            self._rejoin.cancel()
            await asyncio.wait([self._rejoin])
            self._rejoin = None
        session, self.session = self.session, None
        if session is not None:
            try:
                await self._store.close_session(session.id, seen_beat=None, reason=reason)
            except StoreError as error:
                log.warning("could not say good-bye (%s); the session will be rescued", error)

    async def _open(self) -> Session:
        sent, asked = self._runtime.clock.boot(), self._runtime.clock.monotonic()
        session = await self._present(self._kind, self._lease_seconds)
        self._number = 0
        self._learn(session.started_at, asked)
        self._valid_until = sent + self._lease_seconds
        self.ids = RunIds(session.number)
        self.session = session
        self._store.tell(Hint(HintKind.SESSION, name=session.id))
        return session

    async def _present(self, kind: str, lease_seconds: float) -> Session:
        return await self._store.open_session(
            NewSession(
                identity=self._runtime.entropy.token_hex(16),
                name=self._name,
                kind=kind,
                host=socket.gethostname(),
                pid=os.getpid(),
                lease_seconds=lease_seconds,
                protocol=PROTOCOL_VERSION,
            )
        )

    async def more_ids(self) -> None:
        """This session has named as many runs as it can: go on under the number of another, which holds nothing."""
        self.ids = RunIds((await self._present("client", 0.0)).number)

    async def _beats(self) -> None:
        pause = min(BEAT_SECONDS, self._lease_seconds / BEATS_PER_LEASE_MIN)
        while True:
            await asyncio.sleep(pause)
            session = self.session
            if session is None:
                continue
            try:  # no longer than the lease lasts; but who wakes up after it asks once whether it was missed
                async with asyncio.timeout(max(self._valid_until - self._runtime.clock.boot(), pause)):
                    await self._beat(session)
            except SessionClosed as error:
                self._tell_home(self._lose, session.id, str(error))
            except (StoreError, TimeoutError) as error:
                log.warning("beat failed: %s", error or "no answer in time")
            except Exception:  # of whatever kind: a process that does not beat loses all it holds
                log.exception("beat failed")
            if session is self.session and not self.valid():
                self._tell_home(self._lose, session.id, "the lease could not be renewed in time")

    async def _beat(self, session: Session) -> None:
        sent, asked = self._runtime.clock.boot(), self._runtime.clock.monotonic()
        received, tokens, progress = self.holdings()
        self._number += 1
        reply = await self._store.beat(
            Beat(
                session=session.id,
                number=self._number,
                lease_seconds=self._lease_seconds,
                received=received,
                holds=tokens,
                progress=progress,
            )
        )
        if session is self.session:
            self._valid_until = sent + self._lease_seconds
            self._learn(reply.now, asked)
            self._tell_home(self._heard, reply)

    def _tell_home(self, function: Callable[..., None], *args: object) -> None:
        home = self._home
        if home is None or home.is_closed():
            return
        if home is asyncio.get_running_loop():
            function(*args)
        else:
            home.call_soon_threadsafe(function, *args)

    def _heard(self, reply: BeatReply) -> None:
        for callback in self.on_reply:
            callback(reply)

    def _lose(self, identity: str, reason: str) -> None:
        if self.session is None or self.session.id != identity:
            return
        log.warning("session %s is over: %s", identity[:8], reason)
        self.session = None
        for callback in self.on_lost:
            callback(reason)
        self._rejoin = asyncio.get_running_loop().create_task(self._join_again(identity), name="shike:rejoin")

    async def _close(self, old: str) -> None:
        try:
            await self._store.close_session(old, seen_beat=None, reason="its process went on as another session")
        except NotFound:  # we slept so long that it was closed, and forgotten
            pass

    async def _join_again(self, old: str) -> None:
        """Everything the old life held has been dropped; say so, so that others need not wait for its lease."""
        while True:
            try:
                await self._close(old)
                await self._open()
                break
            except StoreError as error:
                log.warning("cannot join again yet: %s", error)
            except Exception:  # of whatever kind: a process without a session does nothing for ever
                log.exception("cannot join again yet")
            await asyncio.sleep(BEAT_SECONDS)
        for callback in self.on_joined:
            callback()

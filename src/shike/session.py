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
from collections import deque
from collections.abc import Callable

import msgspec

from shike.bounds import BEAT_SECONDS, BUCKET_LEASE_SECONDS, LEASE_SECONDS
from shike.clock import MICROS
from shike.errors import NotFound, SessionClosed, StoreError, StoreLost, StoreMoved
from shike.ids import RunIds
from shike.ids.forks import FORKS, end_stray
from shike.model import PROTOCOL_VERSION, Load, Session
from shike.outage import Outage
from shike.runtime import Role, Runtime
from shike.store.base import Store
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Beat, BeatReply, NewSession

log = logging.getLogger("shike.session")

QUICK_SECONDS = 0.05  # an answer that tells the store's time well enough
BEATS_PER_LEASE_MIN = 3  # of a lease that is shorter than a few beats

Holdings = tuple[int, tuple[int, ...], tuple[tuple[int, int, bytes], ...]]  # received, tokens, progress


def nothing_held() -> Holdings:
    return 0, (), ()


def beat_pause(lease_seconds: float) -> float:
    """How long a session rests between two beats."""
    return min(BEAT_SECONDS, lease_seconds / BEATS_PER_LEASE_MIN)


def bucket_lease(lease_seconds: float, answer_seconds: float = 0.0) -> float:
    """How long the buckets of a session stay its own after a beat: two beats and a half, more on a slow store (a beat
    takes `answer_seconds`) and under a long lease, and never longer than the session itself."""
    pause = beat_pause(lease_seconds)
    usual = max(BUCKET_LEASE_SECONDS * pause, lease_seconds / 4)
    return min(max(usual, 2 * (pause + answer_seconds) + pause / 2), lease_seconds)


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
        self._valid_until = 0.0  # on the boot clock, as the next three
        self._owning_until = 0.0
        self._broken_at = 0.0
        self._answer_seconds = 0.0  # of the last beat
        self._number = 0
        self._store_ahead: int | None = None  # store's wall clock minus our monotonic clock, in µs
        self._role: Role | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._rejoin: asyncio.Task[None] | None = None
        self._outage = Outage(log, "beating")
        self._joining = Outage(log, "joining again")
        self.session: Session | None = None
        self.ids: RunIds | None = None
        self.holdings: Callable[[], Holdings] = nothing_held
        self.loads: list[Callable[[], bytes]] = []  # what each role tells with a beat: a JSON object, from its thread
        self.on_reply: list[Callable[[BeatReply], None]] = []
        self.on_lost: list[Callable[[str], None]] = []
        self.on_joined: list[Callable[[], None]] = []
        self.on_gone: list[Callable[[StoreMoved | StoreLost], None]] = []  # with each beat from then on
        FORKS.in_child(self._forked)

    def _forked(self) -> None:
        """In a child that a handler forked: it is no member, and ends as soon as it comes back to the event loop."""
        self.session, self._valid_until = None, 0.0
        if self._home is not None and not self._home.is_closed():
            handle = self._home.call_soon(end_stray)
            ready = getattr(self._home, "_ready", None)  # where asyncio keeps what this turn of the loop still does …
            if isinstance(ready, deque) and ready[-1] is handle:
                ready.rotate(1)  # … all of which is the parent's to do

    @property
    def name(self) -> str:
        return self._name

    @property
    def answer_seconds(self) -> float:
        """How long the last beat took, there and back."""
        return self._answer_seconds

    @property
    def identity(self) -> str:
        """The present session's identity; raises `SessionClosed` between two lives."""
        if self.session is None:
            raise SessionClosed("this process has no session at the moment; it joins again by itself")
        return self.session.id

    def valid(self) -> bool:
        """Whether the lease, by our own clock and counted carefully, still stands."""
        return self.session is not None and self._runtime.clock.boot() < self._valid_until

    def owning(self, confirmed_at: float) -> bool:
        """Whether what was the session's by a look sent at `confirmed_at` (boot clock) is so still: other nodes take a
        bucket only if they have seen no beat of its owner for as long as the owner's last beat told them."""
        return self.valid() and self._broken_at <= confirmed_at and self._runtime.clock.boot() < self._owning_until

    def store_now(self) -> int:
        """What the store's clock shows now, as far as we know: our own wall clock may be wrong, or be set.

        Mended with each beat; off by no more than that beat took, and by half of it where it took QUICK_SECONDS.
        """
        return (self._store_ahead or 0) + int(self._runtime.clock.monotonic() * MICROS)

    def _learn(self, now: int, sent: float) -> None:
        """The store's clock showed `now` at some instant between `sent` and this one. A quick answer is taken to be
        from the middle; a slow one only mends what we believed where that cannot be."""
        received = self._runtime.clock.monotonic()
        latest, earliest = now - int(sent * MICROS), now - int(received * MICROS)
        if self._store_ahead is None or received - sent < QUICK_SECONDS:
            self._store_ahead = (latest + earliest) // 2
        else:
            self._store_ahead = min(max(self._store_ahead, earliest), latest)

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
        self._renew_buckets(sent, bucket_lease(self._lease_seconds))
        self.ids = RunIds(session.number)
        self.session = session
        self._store.tell(Hint(HintKind.SESSION, name=session.id))
        return session

    def _renew_buckets(self, sent: float, lease_seconds: float) -> None:
        """A beat was heard. Came its answer after the time that the one before had bought, others may have taken
        buckets in between: whoever owned some has to look again."""
        answered = self._runtime.clock.boot()
        if answered >= self._owning_until:
            self._broken_at = answered
        self._answer_seconds = answered - sent
        self._owning_until = sent + lease_seconds

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
        pause = beat_pause(self._lease_seconds)
        while True:
            await asyncio.sleep(pause)
            session = self.session
            if session is None:
                continue
            if self._home is not None and self._home.is_closed():
                await self._abandon(session)
                continue
            try:  # no longer than the lease lasts; but who wakes up after it asks once whether it was missed
                async with asyncio.timeout(max(self._valid_until - self._runtime.clock.boot(), pause)):
                    await self._beat(session)
            except SessionClosed as error:
                self._tell_home(self._lose, session.id, str(error))
            except (StoreMoved, StoreLost) as error:
                self._outage.pause(error)
                self._tell_home(self._tell_gone, error)
            except (StoreError, TimeoutError) as error:
                self._outage.pause(error)  # how long to wait is not its to say: the next beat comes in time
            except Exception:  # of whatever kind: a process that does not beat loses all it holds
                log.exception("beat failed")
            if session is self.session and not self.valid():
                self._tell_home(self._lose, session.id, "the lease could not be renewed in time")

    async def _abandon(self, session: Session) -> None:
        """Our event loop was closed over us: nothing of what this session holds goes on."""
        try:
            await self._store.close_session(session.id, seen_beat=None, reason="its event loop was closed")
        except StoreError as error:
            self._outage.pause(error)
            return
        self.session = None
        log.warning("session %s is over: its event loop was closed before its app was stopped", session.id[:8])

    async def _beat(self, session: Session) -> None:
        sent, asked = self._runtime.clock.boot(), self._runtime.clock.monotonic()
        received, tokens, progress = self.holdings()
        buckets_seconds = bucket_lease(self._lease_seconds, self._answer_seconds)
        buckets_seconds = max(buckets_seconds, self._owning_until - sent)  # for so long we count on them, come what may
        self._number += 1
        reply = await self._store.beat(
            Beat(
                session=session.id,
                number=self._number,
                lease_seconds=self._lease_seconds,
                received=received,
                holds=tokens,
                progress=progress,
                load=self.load(buckets_seconds),
            )
        )
        self._outage.over()
        if session is self.session:
            self._valid_until = sent + self._lease_seconds
            self._renew_buckets(sent, buckets_seconds)
            self._learn(reply.now, asked)
            self._tell_home(self._heard, reply)

    def load(self, buckets_seconds: float = 0.0) -> bytes:
        """All that the roles tell, in one JSON object; and how long its buckets stay its own, where that is unusual."""
        told = [load() for load in self.loads]
        if buckets_seconds > bucket_lease(self._lease_seconds):
            told.append(msgspec.json.encode(Load(bucket_lease_seconds=buckets_seconds)))
        fields = [part[1:-1] for part in told if len(part) > len(b"{}")]
        return b"{" + b",".join(fields) + b"}" if fields else b""

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

    def _tell_gone(self, error: StoreMoved | StoreLost) -> None:
        for callback in self.on_gone:
            callback(error)

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
                self._joining.over()
                break
            except (StoreMoved, StoreLost) as error:
                self._joining.pause(error)
                self._tell_gone(error)
            except StoreError as error:
                self._joining.pause(error)
            except Exception:  # of whatever kind: a process without a session does nothing for ever
                log.exception("cannot join again yet")
            await asyncio.sleep(BEAT_SECONDS)
        for callback in self.on_joined:
            callback()

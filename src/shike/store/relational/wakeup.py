"""Telling other processes that something was committed, whatever the server offers for it.

What is told is told after the commit, outside of any hot transaction. What gathers while one telling is under way goes
together, next. Where nobody else listens, hints gather for half a second before the next look. They may be lost; the
beat finds the work a second later.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol
from weakref import WeakKeyDictionary

import msgspec

from shike.errors import StoreError
from shike.ids.forks import FORKS
from shike.store.hints import Hint, HintKind

log = logging.getLogger("shike.store")

PAYLOAD_BYTES = 7_900  # PostgreSQL takes less than 8,000 …
PARCEL_BYTES = (PAYLOAD_BYTES - 64) * 3 // 4  # … of base64, behind a tag
IDS_PER_HINT = 500  # of 9 bytes each, and a third more in base64
WAITING_MAX = 10_000  # hints that wait to be sent; what is more is lost
ALONE_SECONDS = 0.5  # after seeing that nobody else listens, until the next look; a newcomer says that it is there
ALONE_HINTS = (
    1_000  # kept for that look: a newcomer has read what was committed before it listened, not what came since
)
ALONE_LOOK_SECONDS = 0.02  # how soon a newcomer's word ends the wait
CLOSE_SECONDS = 1.0
RETRY_SECONDS = (0.1, 5.0)  # until a lost ear listens again: first, and at most
TAG_BYTES = 6  # of the mark of each process, at the head of what it sends
FROM_OUTSIDE = "00" * TAG_BYTES  # the mark of nobody: sent on a user's own connection, and for this process too

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Hint]).decode

Tell = Callable[[list[str], list[int]], Awaitable[bool]]
Heard = Callable[[Sequence[Hint]], None]


class Ear(Protocol):
    """This process's connection that hears. It belongs to the loop that made it, and keeps none from ending."""

    loop: asyncio.AbstractEventLoop
    pid: int  # of the server's process at the other end; 0: not known yet

    async def close(self) -> None: ...


class Wakeup:
    """Listens on one of the loops that have listeners, and sends from any. `tell` sends texts, unless nobody else
    listens than the server's processes of these ids: whether somebody did. `listen` makes an ear on the running loop,
    which hands on what others said, and None whenever it begins to hear; each text begins with the `tag` of who sends
    it. `greets`: whether an ear tells the others, by an empty text, that it begins to listen; else whoever tells
    something may be one who does."""

    def __init__(
        self,
        listen: Callable[[Callable[[str | None], None]], Ear],
        tag: str,
        tell: Tell,
        heard: Heard,
        *,
        greets: bool = False,
    ) -> None:
        self._tag = tag
        self._listen = listen
        self._tell = tell
        self._heard = heard
        self._greets = greets
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.AbstractEventLoop, int] = {}
        self._ear: Ear | None = None
        self._waiting: dict[asyncio.AbstractEventLoop, dict[Hint, None]] = {}
        self._speaking: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()
        self._alone_until = 0.0
        FORKS.in_child(self._forked)

    # ---------------------------------------------------------------- listening

    def listen_here(self) -> Callable[[], None]:
        """Be told as long as somebody on this loop listens; returns the way to stop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self._listeners[loop] = self._listeners.get(loop, 0) + 1
        self._choose()
        return once(lambda: self._stop(loop))

    def _stop(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            left = self._listeners.get(loop, 0) - 1
            if left > 0:
                self._listeners[loop] = left
            else:
                self._listeners.pop(loop, None)
        self._choose()

    def _choose(self) -> None:
        """Have one ear, on a loop that lives and has listeners."""
        with self._lock:
            for closed in [loop for loop in self._listeners if loop.is_closed()]:
                del self._listeners[closed]
            ear = self._ear
            if ear is not None and ear.loop not in self._listeners:
                self._ear = None
                _call(ear.loop, lambda: ear.loop.create_task(ear.close()))
            loop = next(iter(self._listeners), None)
            if self._ear is None and loop is not None:
                _call(loop, self._open)

    def _open(self) -> None:
        with self._lock:
            if self._ear is None and asyncio.get_running_loop() in self._listeners:
                self._ear = self._listen(self._hear)

    def _hear(self, parcel: str | None) -> None:
        if parcel is None:
            self._heard([Hint(HintKind.MISSED)])
            return
        if not (parcel and self._greets):
            self._alone_until = 0.0
        if parcel:
            try:
                self._heard(_decode(base64.b64decode(parcel)))
            except (msgspec.MsgspecError, ValueError):
                log.debug("a notification is not from a Shike of our kind")

    # ---------------------------------------------------------------- speaking

    def send(self, hints: Sequence[Hint]) -> None:
        """Tell the other processes, soon. Never waits and never fails."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.get(loop)
        if waiting is None:
            waiting = self._waiting[loop] = {}
            task = loop.create_task(self._speak(loop, waiting), name="shike:notify")
            self._speaking[loop] = task
            task.add_done_callback(lambda _: self._fall_silent(loop, waiting))  # also where it was never begun
        if len(waiting) < (ALONE_HINTS if time.monotonic() < self._alone_until else WAITING_MAX):
            waiting.update(dict.fromkeys(hints))

    async def _speak(self, loop: asyncio.AbstractEventLoop, waiting: dict[Hint, None]) -> None:
        """Send what waits, and what gathers meanwhile; while nobody seems to listen, now and then."""
        while waiting:
            while time.monotonic() < self._alone_until:
                await asyncio.sleep(ALONE_LOOK_SECONDS)
            payloads = [self._tag + part for part in parcels(list(waiting))]
            waiting.clear()
            try:
                if not await self._tell(payloads, [self._ear.pid] if self._ear is not None else []):
                    self._alone_until = time.monotonic() + ALONE_SECONDS
            except StoreError as error:
                log.debug("a notification was not sent: %s", error)
        self._fall_silent(loop, waiting)  # in this very step: what comes before its callback would wait for nobody

    def _fall_silent(self, loop: asyncio.AbstractEventLoop, waiting: dict[Hint, None]) -> None:
        """Whoever has something to tell from here on begins anew."""
        if self._waiting.get(loop) is waiting:
            del self._waiting[loop]

    async def close(self) -> None:
        with self._lock:
            ear, self._ear = self._ear, None
            self._listeners.clear()
        self._alone_until = 0.0
        speaking = self._speaking.pop(asyncio.get_running_loop(), None)
        if speaking is not None:
            await asyncio.wait([speaking], timeout=CLOSE_SECONDS)
        if ear is not None and ear.loop is asyncio.get_running_loop():
            await ear.close()
        elif ear is not None:
            _call(ear.loop, lambda: ear.loop.create_task(ear.close()))

    def _forked(self) -> None:
        self._lock = threading.Lock()
        self._listeners, self._ear, self._waiting, self._speaking = {}, None, {}, WeakKeyDictionary()


def once(function: Callable[[], None]) -> Callable[[], None]:
    """The same, but only the first call does anything."""
    left = [function]
    return lambda: left.pop()() if left else None


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:
        pass  # that loop is closed


def parcels(hints: Sequence[Hint]) -> list[str]:
    """Hints in pieces that a notification takes."""
    pieces: list[str] = []
    group: list[Hint] = []
    size = 0
    for hint in hints:
        for part in _cut(hint):
            weight = len(_encode(part))
            if group and size + weight > PARCEL_BYTES:
                pieces.append(base64.b64encode(_encode(group)).decode())
                group, size = [], 0
            group.append(part)
            size += weight
    if group:
        pieces.append(base64.b64encode(_encode(group)).decode())
    return pieces


def _cut(hint: Hint) -> list[Hint]:
    if len(hint.run_ids) <= IDS_PER_HINT:
        return [hint]
    starts = range(0, len(hint.run_ids), IDS_PER_HINT)
    return [Hint(hint.kind, run_ids=hint.run_ids[start : start + IDS_PER_HINT]) for start in starts]

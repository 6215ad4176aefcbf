"""Hints between processes: scripts publish them with what they write, and each process that listens subscribes.

A message is a mark, of whom it is (scripts have none), and hints: kind, sizes of queue and name, instant, size of ids.
They may be lost; a beat a second looks for work in any case.
"""

from __future__ import annotations

import asyncio
import logging
import os
import struct
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from shike.errors import StoreError
from shike.store.hints import Hint, HintKind
from shike.store.memory.listeners import Listeners
from shike.store.redis.options import Options
from shike.store.redis.wire import Address, Connection, connect

log = logging.getLogger("shike.store")

KINDS: Final = {
    1: HintKind.DUE,
    2: HintKind.GATED,
    3: HintKind.FREED,
    4: HintKind.ENDED,
    5: HintKind.CANCEL,
    6: HintKind.SCHEDULE,
    7: HintKind.QUEUE,
    8: HintKind.SESSION,
    9: HintKind.BUCKET,
}
NUMBERS: Final = {kind: number for number, kind in KINDS.items()}
MARK_BYTES: Final = 8
PAUSE_SECONDS: Final = 0.2  # between attempts to subscribe again
PAUSE_SECONDS_MAX: Final = 2.0
FIRST_SECONDS: Final = 2.0  # verbs wait at most so long for the first subscription

_HINT = struct.Struct(">BHHdI")


def pack_hint(hint: Hint) -> bytes:
    queue, name = hint.queue.encode(), hint.name.encode()
    ids = struct.pack(f">{len(hint.run_ids)}Q", *hint.run_ids)
    return _HINT.pack(NUMBERS[hint.kind], len(queue), len(name), hint.at, len(ids)) + queue + name + ids


def read_hints(message: bytes) -> list[Hint]:
    """The hints of a message, behind its mark. Kinds of a later version are left out."""
    found, at = [], 0
    while at < len(message):
        number, queue, name, instant, ids = _HINT.unpack_from(message, at)
        at += _HINT.size
        words = message[at : at + queue].decode(), message[at + queue : at + queue + name].decode()
        at += queue + name
        kind = KINDS.get(number)
        if kind is not None:
            run_ids = struct.unpack_from(f">{ids // 8}Q", message, at) if ids else ()
            found.append(Hint(kind, words[0], int(instant), run_ids, words[1]))
        at += ids
    return found


class News:
    """Hears and tells for one store object. One subscription, on the event loop of whoever listened first."""

    def __init__(self, options: Options, channel: bytes, near: Callable[[], Awaitable[Sequence[Address]]]) -> None:
        self._options = options
        self._near = near  # where to listen, best first
        self._channel = channel
        self._mark = os.urandom(MARK_BYTES)
        self._lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._listeners = Listeners()
        self._ear: asyncio.Task[None] | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._ready: threading.Event | None = None

    def listen(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        stop = self._listeners.add(callback)
        self._begin()

        def unlisten() -> None:
            stop()
            if not self._listeners:
                self.close()

        return unlisten

    def _begin(self) -> None:
        with self._lock:
            if self._ear is not None and self._home is not None and not self._home.is_closed() and not self._ear.done():
                return
            self._home = asyncio.get_running_loop()
            self._ready = threading.Event()
            self._ear = self._home.create_task(self._hear(self._ready), name="shike:ear")

    async def ready(self) -> None:
        """Wait until the first subscription stands: who listens, and then does something, hears of it."""
        ready = self._ready
        if ready is None or ready.is_set() or asyncio._get_running_loop() is None:
            return
        deadline = asyncio.get_running_loop().time() + FIRST_SECONDS
        while not ready.is_set() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.001)
        ready.set()

    def tell_here(self, hint: Hint) -> None:
        self._listeners.tell([hint])

    def message(self, hints: list[Hint]) -> bytes:
        """What is published of hints that were told here already."""
        return b"\x01" + self._mark + b"".join(map(pack_hint, hints))

    def close(self) -> None:
        with self._lock:
            ear, home, self._ear = self._ear, self._home, None
        if ear is None or home is None or home.is_closed():
            return
        if home is asyncio._get_running_loop():
            ear.cancel()
        else:
            home.call_soon_threadsafe(ear.cancel)

    def forget(self) -> None:
        """In a forked child, whose parent goes on listening."""
        self._lock = threading.Lock()
        self._mark = os.urandom(MARK_BYTES)
        self._reset()

    # ------------------------------------------------------------ the ear

    async def _hear(self, ready: threading.Event) -> None:
        """Subscribe, and again whenever the connection is lost."""
        pause = PAUSE_SECONDS
        while True:
            lost = asyncio.Event()
            connection: Connection | None = None
            try:
                connection = await self._subscribe(lost, ready)
                pause = PAUSE_SECONDS
                await lost.wait()
            except StoreError as error:
                log.debug("listening for hints is tried again: %s", error)
            finally:
                if connection is not None:
                    connection.close()
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    async def _subscribe(self, lost: asyncio.Event, ready: threading.Event) -> Connection:
        def pushed(reply: Any) -> None:
            if reply is None:
                lost.set()
            elif reply[0] == b"message":
                self._message(reply[2])
            elif reply[0] == b"subscribe":
                ready.set()
                self._listeners.tell([Hint(HintKind.MISSED)])

        error: StoreError | None = None
        for address in await self._near():
            try:
                connection = await connect(self._options, address, pushed)
            except StoreError as failed:
                error = failed
                continue
            connection.send((b"SUBSCRIBE", self._channel))
            return connection
        assert error is not None
        raise error

    def _message(self, message: bytes) -> None:
        try:
            if message[:1] == b"\x00":
                hints = read_hints(message[1:])
            elif message[1 : 1 + MARK_BYTES] == self._mark:
                return
            else:
                hints = read_hints(message[1 + MARK_BYTES :])
        except (struct.error, UnicodeDecodeError):
            return  # of another program, or of a later version
        self._listeners.tell(hints)

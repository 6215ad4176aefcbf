"""Telling other processes on the same file that something was committed: one small datagram, sent and forgotten.

Each listener has a socket in the store's folder. Nobody waits for a reader: a full or dead socket loses the hint,
and the beat finds the work a second later.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import socket
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import msgspec

from shike.errors import StoreUnavailable
from shike.store.hints import Hint

DATAGRAM_BYTES = 48 * 1024  # well below what a socket takes by default
DATAGRAMS_PER_WAKE = 64  # so that a flood does not starve the loop
PATH_BYTES_MAX = 100  # of a unix socket: 108 on Linux, 104 elsewhere
IDS_PER_HINT = 4_000  # of 9 bytes each
NAMES_TRIED = 10_000  # one more for each listener that a kill left behind, until somebody sends to it
LOOKS = 16  # times a changed folder is listed again: its time stamp is coarse

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Hint]).decode
_serial = count(1)

Callback = Callable[[Hint], None]


class Wakeup:
    """The sockets of one store: `<folder>/<pid>-<n>.sock`, or a short folder elsewhere if that path is too long."""

    def __init__(self, folder: Path) -> None:
        self._folder = _short(folder)
        self._listeners: dict[str, tuple[asyncio.AbstractEventLoop, Callback, socket.socket]] = {}
        self._out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._out.setblocking(False)
        self._stamp = 0
        self._looks = LOOKS
        self._others: list[str] = []

    def listeners(self) -> list[tuple[asyncio.AbstractEventLoop, Callback]]:
        """Those in this process."""
        return [(loop, callback) for loop, callback, _ in list(self._listeners.values())]

    def listen(self, callback: Callback) -> Callable[[], None]:
        """Be called, in the running loop, with what others commit; returns the way to stop."""
        loop = asyncio.get_running_loop()
        box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        box.setblocking(False)
        try:
            name = self._bind(box)
        except BaseException:
            box.close()
            raise
        loop.add_reader(box, _read, box, callback)
        self._listeners[name] = (loop, callback, box)
        return lambda: self._stop(name)

    def _bind(self, box: socket.socket) -> str:
        """Give a socket a name that is free: in a container, or after a crash, ours may have been another's."""
        for _ in range(NAMES_TRIED):
            name = f"{os.getpid()}-{next(_serial)}.sock"
            try:
                box.bind(str(self._folder / name))
                return name
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise StoreUnavailable(f"{self._folder} is full of sockets of dead processes; empty it while nothing runs")

    def _stop(self, name: str) -> None:
        found = self._listeners.pop(name, None)
        if found is not None:
            loop, _, box = found
            (self._folder / name).unlink(missing_ok=True)
            if loop.is_closed():
                box.close()
            else:
                loop.call_soon_threadsafe(_shut, loop, box)

    def send(self, hints: list[Hint]) -> None:
        """Tell the other processes. Never waits and never fails."""
        for name in self._neighbours():
            for datagram in _datagrams(hints):
                if not self._throw(datagram, name):
                    break

    def _throw(self, datagram: bytes, name: str) -> bool:
        try:
            self._out.sendto(datagram, str(self._folder / name))
        except ConnectionRefusedError:  # its process died
            (self._folder / name).unlink(missing_ok=True)
            return False
        except OSError:  # full, or just gone
            return False
        return True

    def _neighbours(self) -> list[str]:
        """The sockets of other processes, listed anew only when the folder changed."""
        try:
            stamp = self._folder.stat().st_mtime_ns
            if stamp != self._stamp:
                self._stamp, self._looks = stamp, LOOKS
            if self._looks:
                self._looks -= 1
                names = (path.name for path in self._folder.iterdir())
                self._others = [name for name in names if name.endswith(".sock") and name not in self._listeners]
        except OSError:
            self._others = []
        return self._others

    def close(self) -> None:
        for name in list(self._listeners):
            self._stop(name)
        self._out.close()


def _short(folder: Path) -> Path:
    """Where sockets can be bound: a path to one has about a hundred bytes."""
    longest = folder / f"{'9' * 10}-{'9' * 8}.sock"
    if len(os.fsencode(longest)) > PATH_BYTES_MAX:
        digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"shike-{os.getuid()}-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or folder.is_symlink():
            raise PermissionError(f"{folder} belongs to another user")
    return folder


def _datagrams(hints: list[Hint]) -> list[bytes]:
    """Hints in pieces that a socket takes."""
    pieces: list[bytes] = []
    group: list[Hint] = []
    size = 0
    for hint in hints:
        for part in _cut(hint):
            weight = 64 + 9 * len(part.run_ids) + len(part.queue.encode()) + len(part.name.encode())
            if group and size + weight > DATAGRAM_BYTES:
                pieces.append(_encode(group))
                group, size = [], 0
            group.append(part)
            size += weight
    if group:
        pieces.append(_encode(group))
    return pieces


def _cut(hint: Hint) -> list[Hint]:
    if len(hint.run_ids) <= IDS_PER_HINT:
        return [hint]
    starts = range(0, len(hint.run_ids), IDS_PER_HINT)
    return [Hint(hint.kind, run_ids=hint.run_ids[start : start + IDS_PER_HINT]) for start in starts]


def _read(box: socket.socket, callback: Callback) -> None:
    for _ in range(DATAGRAMS_PER_WAKE):
        try:
            datagram = box.recv(2 * DATAGRAM_BYTES)
        except OSError:
            return
        try:
            hints = _decode(datagram)
        except msgspec.MsgspecError:
            continue  # not from a Shike of our kind
        for hint in hints:
            callback(hint)


def _shut(loop: asyncio.AbstractEventLoop, box: socket.socket) -> None:
    loop.remove_reader(box)
    box.close()

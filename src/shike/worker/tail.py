"""What a program prints, as it comes: the end of it is kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import IO, Final

from shike.bounds import COMMAND_TAIL_BYTES

READ_BYTES: Final = 65_536  # what a pipe holds
LINE_BYTES_MAX: Final = 4_096  # more than a line of the log keeps


class Tail:
    """The end of what comes through a pipe. Reads from the first instant: a program must neither wait nor be killed
    because nobody does. `heard` is told each line, without its end; of a long one its first LINE_BYTES_MAX."""

    def __init__(self, pipe: IO[bytes] | None, heard: Callable[[str], None] | None = None) -> None:
        assert pipe is not None
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._pipe = pipe
        self._kept = bytearray()
        self._cut = False
        self._heard = heard
        self._line = bytearray()
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(pipe.fileno(), self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._pipe.fileno(), READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        if self._heard is not None:
            self._hear(data)
        self._kept += data
        if len(self._kept) > COMMAND_TAIL_BYTES:
            del self._kept[:-COMMAND_TAIL_BYTES]
            self._cut = True

    def _hear(self, data: bytes) -> None:
        *whole, rest = (bytes(self._line) + data).split(b"\n")
        self._line = bytearray(rest[:LINE_BYTES_MAX])
        for line in whole:
            self._tell(line)

    def _tell(self, line: bytes) -> None:
        if self._heard is not None and (text := line[:LINE_BYTES_MAX].decode(errors="replace").rstrip()):
            self._heard(text)

    def close(self) -> None:
        if not self.ended.done():
            self._tell(bytes(self._line))
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()
            self.ended.set_result(None)

    def text(self) -> str:
        kept = self._kept
        if not self._cut:
            return kept.decode(errors="replace")
        start = next((at for at, byte in enumerate(kept[:4]) if byte & 0xC0 != 0x80), 0)  # a whole sign first
        return "…" + kept[start:].decode(errors="replace")

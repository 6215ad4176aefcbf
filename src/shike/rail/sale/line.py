"""The line to a writer in another process, which may be killed: a new one is started, and asked again what is open."""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec
from msgspec import Struct

from shike.errors import LedgerError
from shike.rail.sale.bounds import LINE_BYTES_MAX, STARTS_MAX, STOP_SECONDS
from shike.rail.sale.writer import ANSWERS, Ask
from shike.reserve.commands import AnyCommand
from shike.reserve.events import AnyEvent
from shike.reserve.model import Refusal


class Outage(Struct):
    """One kill: how many answers had come, how many commands were open, and how long nobody answered."""

    answers: int
    open: int
    began: float
    seconds: float = 0.0


class Line:
    """A caller of one writer. Of one event loop; use it with `async with`.

    `kills` are numbers of answers: after so many the writer is killed, as soon as something is open.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._process: asyncio.subprocess.Process | None = None
        self._listener: asyncio.Task[None] | None = None
        self._open: dict[int, tuple[bytes, asyncio.Future[AnyEvent | Refusal]]] = {}
        self._asked = 0
        self._is_closing = False
        self.answers = 0
        self.starts = 0
        self.outages: list[Outage] = []
        self.kills: list[int] = []

    async def __aenter__(self) -> Line:
        await self._start()
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._is_closing = True
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait([self._listener])

    async def ask(self, ledger: str, command: AnyCommand) -> AnyEvent | Refusal:
        """What the writer says, however often it has to be asked. Raises `LedgerError` where it cannot say anything."""
        if self._listener is None or self._listener.done():
            raise LedgerError("the line to the writer is down: look at what the writer wrote")
        self._asked += 1
        words = msgspec.json.encode(Ask(self._asked, ledger, command)) + b"\n"
        told: asyncio.Future[AnyEvent | Refusal] = asyncio.get_running_loop().create_future()
        self._open[self._asked] = (words, told)
        self._write(words)
        return await told

    def _write(self, words: bytes) -> None:
        """A line to a writer that is gone is no loss: the next one is told all that is open."""
        stdin = self._process.stdin if self._process is not None else None
        if stdin is not None and not stdin.is_closing():
            stdin.write(words)

    async def _start(self) -> None:
        self.starts += 1
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "shike.rail.sale.writer",
            self._url,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
            start_new_session=True,  # Ctrl-C is for the caller, which then closes the line
        )
        for words, _ in self._open.values():
            self._write(words)

    async def _listen(self) -> None:
        try:
            while True:
                await self._hear_out()
                if self._is_closing:
                    return
                if self.starts >= STARTS_MAX:
                    raise LedgerError(f"the writer ended {self.starts} times by itself: look at what it wrote")
                await self._start()
        except Exception as error:
            for _, told in self._open.values():
                if not told.done():
                    told.set_exception(error)
            self._open.clear()

    async def _hear_out(self) -> None:
        """Take all that one process tells, to its end."""
        process = self._process
        assert process is not None and process.stdout is not None
        is_doomed = False
        while words := await process.stdout.readline():
            if not words.endswith(b"\n"):
                break  # it was killed in the middle of a line: nothing was told
            self._take(words)
            if self.kills and self.answers >= self.kills[0] and self._open and not is_doomed:
                is_doomed = True
                self.kills.pop(0)
                process.kill()
                self.outages.append(Outage(self.answers, len(self._open), time.monotonic()))
        await process.wait()

    def _take(self, words: bytes) -> None:
        answer = ANSWERS.decode(words)
        _, told = self._open.pop(answer.number, (b"", None))
        if told is None or told.done():
            return
        self.answers += 1
        if self.outages and not self.outages[-1].seconds and self.starts > len(self.outages):
            self.outages[-1].seconds = time.monotonic() - self.outages[-1].began
        if answer.error:
            told.set_exception(LedgerError(answer.error))
        elif answer.refusal is not None:
            told.set_result(answer.refusal)
        elif answer.event is not None:
            told.set_result(answer.event)

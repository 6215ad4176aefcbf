"""One connection: statements by name, as few round trips as will do.

What begins a transaction and what nobody waits for (`-- later`) is kept back and travels with the next statement, or
with the commit. So settling a batch takes two round trips, and a claim four.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from asyncmy.errors import MySQLError

from shike.clock import to_datetime
from shike.errors import BadInput
from shike.store.mysql.faults import BROKEN, GONE_ALREADY, THERE_ALREADY, code_of, is_broken, translated
from shike.store.mysql.texts import Text
from shike.store.relational.link import Row
from shike.store.relational.statements import filled
from shike.store.relational.tx import DAY_MICROS

Answer = tuple[Sequence[Row] | None, int]  # the rows of one statement, or how many it changed

CLOSE_SECONDS = 1.0
SNAPSHOT = "set transaction isolation level repeatable read;\nstart transaction with consistent snapshot, read only"


class MySQLLink:
    """A connection of `shike.store.relational.link.Link`. `where` names the server in errors, `call_seconds` is how
    long an answer may take, `packet_bytes` how long a statement may be."""

    def __init__(
        self, connection: Any, sql: dict[str, Text], where: str, call_seconds: float, packet_bytes: int
    ) -> None:
        self.connection = connection
        self._sql = sql
        self._where = where
        self._call_seconds = call_seconds
        self._packet_bytes = packet_bytes
        self._kept: list[str] = []
        self._is_inside = False
        self._is_broken = False

    @property
    def is_usable(self) -> bool:
        return not (self._is_inside or self._is_broken) and bool(self.connection.connected)

    # ---------------------------------------------------------------- transactions

    async def begin(self, *, snapshot: bool = False) -> None:
        self._is_inside = True
        self._kept = [SNAPSHOT if snapshot else "begin"]

    async def commit(self) -> None:
        await self._send("commit")
        self._is_inside = False

    async def rollback(self) -> None:
        self._kept.clear()
        try:
            await self._send("rollback")
            self._is_inside = False
        except Exception:
            self._is_broken = True

    # ---------------------------------------------------------------- statements

    async def rows(self, name: str, values: Sequence[object]) -> Sequence[Row]:
        return _last(await self._do(name, values))

    async def run(self, name: str, values: Sequence[object]) -> int:
        answers = await self._do(name, values)
        return answers[-1][1]

    async def many(self, name: str, rows: Sequence[Sequence[object]], lead: Sequence[object]) -> Sequence[Row]:
        text = self._sql[name]
        if not self._is_inside:
            return _last(await self._step(text, lead, rows))
        found: list[Row] = []
        for script in text.parts(lead, rows, self._packet_bytes):
            if text.is_later:
                await self._keep(script)
            else:
                found += _last(await self._send(script))
        return found

    async def columns(self, name: str, values: Sequence[object]) -> Sequence[Sequence[Any]]:
        """What was picked in the lane leaves it with the next statement; the last column says whether it has more."""
        *_, (rows, _), (rest, _) = await self._do(name, values)
        if not rows or not rest:
            return []
        lane = values[0]
        await self.many("lanes_leave", [(lane, row[1], row[0]) for row in rows], ())
        return [*(list(column) for column in zip(*rows, strict=True)), [rest[0][0]]]

    async def day(self, name: str, day: int) -> None:
        """Layout is changed at once, for ever, and ends the transaction; so does finding it changed already."""
        await self.commit()
        try:
            await self.execute(self._of_day(name, day))
        except Exception as error:
            code = code_of(error.__cause__ or error)
            if code in GONE_ALREADY:
                await self.execute(self._of_day("history_sweep", day))
            elif code not in THERE_ALREADY:
                raise
        await self.begin()

    def _of_day(self, name: str, day: int) -> str:
        start = day * DAY_MICROS
        words = {"day": f"{to_datetime(start):%Y%m%d}", "start": str(start), "end": str(start + DAY_MICROS)}
        return filled(self._sql[name].fill(()), words)

    async def execute(self, script: str) -> None:
        """A statement of layout or about the session, as it is written."""
        async with self._guarded():
            await self._ask(script)

    # ---------------------------------------------------------------- on the wire

    async def _do(self, name: str, values: Sequence[object]) -> list[Answer]:
        text = self._sql[name]
        if self._is_inside:
            return await self._send(text.fill(values))
        return await self._step(text, values, ())

    async def _step(self, text: Text, values: Sequence[object], rows: Sequence[Sequence[object]]) -> list[Answer]:
        """Outside of a transaction: several statements that belong together are one of their own."""
        script = text.fill(values, rows)
        if not text.is_step:
            return await self._send(script)
        try:
            answers = await self._send(f"begin;\n{script};\ncommit")
        except Exception:
            if not self._is_broken:
                await self.rollback()
            raise
        return answers[1:-1]

    async def _keep(self, script: str) -> None:
        """Send it with the next one, if they fit together."""
        if sum(map(len, self._kept)) + len(script) > self._packet_bytes:
            await self._send("do 0")
        self._kept.append(script)

    async def _send(self, script: str) -> list[Answer]:
        """The answers to the statements of one text; those to what was kept back are dropped."""
        kept, self._kept = self._kept, []
        if kept and sum(map(len, kept)) + len(script) > self._packet_bytes:
            async with self._guarded():
                await self._ask(";\n".join(kept))
            kept = []
        async with self._guarded():
            return await self._ask(";\n".join([*kept, script]))

    async def _ask(self, script: str) -> list[Answer]:
        if len(script) > self._packet_bytes:
            raise BadInput(
                f"{self._where} takes {self._packet_bytes} bytes at once, but this has {len(script)}: raise "
                "max_allowed_packet on the server, or ask for less at once"
            )
        answers: list[Answer] = []
        async with asyncio.timeout(self._call_seconds):
            await self.connection.query(script)  # a cursor would ask for every warning
            answers.append(_answer(self.connection._result))
            while self.connection._result.has_next:
                await self.connection.next_result()
                answers.append(_answer(self.connection._result))
        return answers

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            self._is_broken = True
            raise
        except (MySQLError, *BROKEN) as error:
            self._is_broken = self._is_broken or is_broken(error)
            raise translated(error, self._where) from error

    # ---------------------------------------------------------------- the end

    async def close(self) -> None:
        self._is_broken = True
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.connection.ensure_closed()
        except (MySQLError, *BROKEN):
            self.drop()

    def drop(self) -> None:
        self._is_broken = True
        cut(self.connection)


def cut(connection: Any) -> None:
    """End a connection of asyncmy without a word."""
    try:
        transport = connection._transport
        line: socket.socket | None = transport.get_extra_info("socket") if transport is not None else None
        if connection.loop.is_closed() and line is not None:
            line.shutdown(socket.SHUT_RDWR)  # the server is told; the file goes with the connection
        elif transport is not None:
            transport.abort()
    except (MySQLError, AttributeError, RuntimeError, *BROKEN):
        pass


def _answer(result: Any) -> Answer:
    return (result.rows if result.description is not None else None), int(result.affected_rows)


def _last(answers: list[Answer]) -> Sequence[Row]:
    """The rows of the last statement that answers any."""
    return next((rows for rows, _ in reversed(answers) if rows is not None), ())

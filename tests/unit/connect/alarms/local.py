"""Servers of the tests' own, on loopback: a hook that keeps what it is sent, and a mail server that speaks SMTP."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct, field

from shike.connect.alarms import Letter, Told
from shike.connect.alarms.bounds import SEND_SECONDS
from shike.track.alarm import Alarm, Notice, Phase

AT = 1_767_225_600_000_000
ALARM = Alarm(
    id="0123456789ab", rule="late:mail>30s", subject="mail", phase=Phase.RAISED, count=31.0, since=AT - 60_000_000,
    words='a run of <b>mail</b> & "more" waits 30 秒', raised_at=AT, owner="ops",
)  # fmt: skip


def letter(*told: Told) -> Letter:
    return Letter(identity="alarm-1-ff", at=AT, source="shop", told=told or (Told(ALARM, Notice.RAISED),))


class Got(Struct, frozen=True):
    """One request, as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.raw)


class HookServer(Struct):
    """Answers with what it was told to, and keeps what came."""

    url: str = ""
    place: str = ""
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    silent: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        verb, target, _ = head[0].split(" ")
        assert verb == "POST"
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        raw = await reader.readexactly(int(headers["content-length"]))
        parts = urlsplit(target)
        self.got.append(Got(parts.path, dict(parse_qsl(parts.query, strict_parsing=bool(parts.query))), headers, raw))
        if self.silent:
            await asyncio.sleep(10 * SEND_SECONDS)
        status, body = self.answers.pop(0) if self.answers else (200, b"{}")
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.write_eof()
        await reader.read()  # until the other side has read it


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server at a port of its own; at the end nothing of it is left."""
    going: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        going.add(task)
        try:
            await handler(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the other side has gone, or the test is over
        finally:
            going.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        left = list(going)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)  # transports that were cut off say so in the next turns


@asynccontextmanager
async def hook_server(*answers: tuple[int, bytes]) -> AsyncIterator[HookServer]:
    kept = HookServer(answers=list(answers))
    async with listening(kept.serve) as port:
        kept.url, kept.place = f"http://127.0.0.1:{port}/hook?access_token=t0ken", f"127.0.0.1:{port}"
        yield kept


class MailServer(Struct):
    """One mail server: what it says can be changed, word by word."""

    port: int = 0
    says: dict[str, str] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    context: ssl.SSLContext | None = None
    leaks: bytes = b""  # said in the open behind the answer to STARTTLS

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{self.says.get('HI', '220 here')}\r\n".encode())
        is_safe = False
        while line := (await reader.readline()).decode("latin-1").rstrip("\r\n"):
            verb = line.partition(" ")[0].upper()
            self.heard.append(line)
            offer = "" if self.context is None or is_safe else "250-STARTTLS\r\n"
            answers = {
                "EHLO": f"250-here\r\n{offer}250 8BITMIME",
                "AUTH": "235 well",
                "DATA": "354 go on",
                "QUIT": "221 bye",
            }
            answers["STARTTLS"] = "220 go on"
            writer.write(f"{self.says.get(verb, answers.get(verb, '250 well'))}\r\n".encode())
            if verb == "STARTTLS":
                writer.write(self.leaks)
                await writer.drain()
                assert self.context is not None
                if not self.leaks:
                    await writer.start_tls(self.context)
                    is_safe = True
            elif verb == "DATA" and "DATA" not in self.says:
                raw = await reader.readuntil(b"\r\n.\r\n")
                self.raw.append(raw)
                plain = b"\r\n".join(one.removeprefix(b".") for one in raw[:-5].split(b"\r\n"))
                self.messages.append(message_from_bytes(plain, policy=default))
                writer.write(f"{self.says.get('TAKEN', '250 taken')}\r\n".encode())
            elif verb == "QUIT":
                break
            await writer.drain()

    def who(self) -> tuple[str, str]:
        """User and password, as they came."""
        (plain,) = [line.split(" ")[2] for line in self.heard if line.startswith("AUTH PLAIN ")]
        _, user, password = base64.b64decode(plain).decode().split("\0")
        return user, password


@asynccontextmanager
async def mail_server(
    context: ssl.SSLContext | None = None, *, at_once: bool = False, **says: str
) -> AsyncIterator[MailServer]:
    kept = MailServer(says=says, context=context)
    async with listening(kept.serve, context if at_once else None) as port:
        kept.port = port
        yield kept

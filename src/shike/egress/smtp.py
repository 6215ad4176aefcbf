"""One mail to one SMTP server (RFC 5321): to the address that was checked, over TLS unless told otherwise, in time."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from shike.egress.exchange import CONNECT_SECONDS
from shike.egress.rules import Rules, Target
from shike.errors import BadInput, CallFailed, CallRefused
from shike.secret import Secret

LINE_BYTES_MAX: Final = 4_096  # of an answer: RFC 5321 says 512, servers say more
LINES_MAX: Final = 100
HELLO: Final = "shike.invalid"  # who calls: a name that is nobody's


class Security(StrEnum):
    """How a connection to a mail server is kept to itself."""

    TLS = "tls"  # from the first byte
    STARTTLS = "starttls"  # asked for; without it nothing is sent
    NONE = "none"  # in the open: for a server on this machine


PORTS: Final = {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 25}


class Post(Struct, frozen=True):
    """A mail server, and who we are to it. Named by an operator, so it may be anywhere."""

    host: str
    port: int
    security: Security
    user: str
    password: Secret | None
    cafile: str = ""

    @classmethod
    def of(
        cls, host: str, port: int, security: Security | str, user: str, password: Secret | None, cafile: str
    ) -> Post:
        """Raises `BadInput`, `BadSetting`."""
        try:
            kind = Security(security)
        except ValueError:
            raise BadInput(f"mail: security is one of {', '.join(Security)}, not {security!r}") from None
        if bool(user) != bool(password):
            raise BadInput("mail: a user and a password belong together")
        if user and kind is Security.NONE:
            raise BadInput("mail: a password would travel in the open; use security='starttls' or 'tls'")
        post = cls(host.lower(), port or PORTS[kind], kind, user, password, cafile)
        post.rules()
        return post

    def rules(self) -> Rules:
        return Rules.parse([f"{self.host}:{self.port}"])

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.cafile or None)


async def deliver(post: Post, sender: str, to: Sequence[str], message: bytes, *, seconds: float) -> None:
    """Hand over a message. Raises `CallFailed` for what may go well later (4xx, no answer), `CallRefused` for 5xx."""
    try:
        async with asyncio.timeout(seconds):
            talk = await _Talk.open(post)
            try:
                await talk.deliver(sender, to, message)
            finally:
                talk.close()
    except TimeoutError:
        raise CallFailed(f"{post.host} did not take the mail within {seconds:g} s") from None
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise CallFailed(f"{post.host} could not be asked: {error or type(error).__name__}") from None


class _Talk:
    """A conversation with a mail server."""

    def __init__(self, post: Post, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._post = post
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, post: Post) -> _Talk:
        failure: OSError | None = None
        secure = post.context() if post.security is Security.TLS else None
        for address in await post.rules().addresses(Target("http", post.host, post.port, "/")):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    name = post.host if secure else None
                    streams = await asyncio.open_connection(
                        address, post.port, ssl=secure, server_hostname=name, limit=LINE_BYTES_MAX
                    )
                return cls(post, *streams)
            except TimeoutError:
                failure = OSError(f"no connection within {CONNECT_SECONDS:g} s")
            except OSError as error:
                failure = error
        raise failure or OSError("it has no address")

    async def deliver(self, sender: str, to: Sequence[str], message: bytes) -> None:
        await self._heard(220)
        said = await self._ask(f"EHLO {HELLO}", 250)
        if self._post.security is Security.STARTTLS:
            if not any(line.upper().startswith("STARTTLS") for line in said):
                raise CallRefused(f"{self._post.host} offers no STARTTLS: nothing is sent in the open", status=0)
            await self._ask("STARTTLS", 220)
            if getattr(self._reader, "_buffer", b""):  # said in the open, and would be taken for said in secret
                raise CallRefused(f"{self._post.host} goes on in the open after STARTTLS", status=0)
            await self._writer.start_tls(self._post.context(), server_hostname=self._post.host)
            await self._ask(f"EHLO {HELLO}", 250)
        if self._post.password is not None:
            plain = f"\0{self._post.user}\0{self._post.password.reveal()}".encode()
            await self._ask(f"AUTH PLAIN {base64.b64encode(plain).decode()}", 235)
        await self._ask(f"MAIL FROM:<{sender}>", 250)
        for one in to:
            await self._ask(f"RCPT TO:<{one}>", 250, 251)
        await self._ask("DATA", 354)
        body = b"\r\n".join(line if not line.startswith(b".") else b"." + line for line in message.split(b"\r\n"))
        self._writer.write(body.removesuffix(b"\r\n") + b"\r\n.\r\n")
        await self._writer.drain()
        await self._heard(250)  # from here on it is the server's: what is lost behind it is no failure of ours
        self._writer.write(b"QUIT\r\n")

    async def _ask(self, words: str, *wanted: int) -> list[str]:
        self._writer.write(f"{words}\r\n".encode("ascii"))
        await self._writer.drain()
        return await self._heard(*wanted)

    async def _heard(self, *wanted: int) -> list[str]:
        """The lines of an answer, without their number."""
        lines: list[str] = []
        for _ in range(LINES_MAX):
            raw = (await self._reader.readuntil(b"\n")).decode("latin-1").rstrip("\r\n")
            code = raw[:3]
            if not code.isdecimal() or raw[3:4] not in ("", " ", "-"):
                raise CallFailed(f"{self._post.host} is no mail server: it says {raw[:60]!r}")
            lines.append(raw[4:])
            if raw[3:4] == "-":
                continue
            if int(code) in wanted:
                return lines
            words = f"{self._post.host} says {code} {lines[-1][:200]!r}"
            if code.startswith("5"):
                raise CallRefused(words, status=int(code))
            raise CallFailed(words, status=int(code))
        raise CallFailed(f"{self._post.host} does not come to an end")

    def close(self) -> None:
        self._writer.transport.abort()

"""One connection to one server: commands go out as they come, answers come back in the same order.

Not redis-py's: a scheduler calls a few scripts with much in them, and what a call costs on this side is most of what
it costs at all. Measured (docs/decisions/0010-redis-layout.md): a third of the CPU of redis-py's asyncio client.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias

import hiredis

from shike.errors import BadSetting, StoreError, StoreUnavailable
from shike.store.redis.faults import explain
from shike.store.redis.options import Options
from shike.store.sockets import watch

Address: TypeAlias = tuple[str, int]
Command: TypeAlias = tuple[bytes | str | int, ...]
pack: Callable[[Command], bytes] = hiredis.pack_command  # type: ignore[assignment]  # its stub takes a single word


class Connection(asyncio.Protocol):
    """Belongs to the event loop it was opened on. Once lost it stays so: whoever waits gets `StoreUnavailable`.

    An answer that takes longer than `call_seconds` loses the connection: what comes after it could not be told apart.
    """

    def __init__(self, where: str, call_seconds: float, pushed: Callable[[Any], None] | None = None) -> None:
        self.where = where
        self.is_lost = False
        self._is_heard = False  # whether anything ever came
        self._loop = asyncio.get_running_loop()
        self._call_seconds = call_seconds
        self._pushed = pushed  # who gets what comes unasked, on a connection that subscribes
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None

    def ask(self, command: Command) -> asyncio.Future[Any]:
        """Send one command; its answer will be in the future. An error reply is in it as a value, not raised."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        if self.is_lost or self._transport is None:
            answer.set_exception(StoreUnavailable(f"the connection to {self.where} is lost; repeat the call"))
            return answer
        self._waiting.append((self._loop.time(), answer))
        self._transport.write(pack(command))
        if self._watch is None:
            self._watch = self._loop.call_later(self._call_seconds, self._look_at_clock)
        return answer

    def send(self, command: Command) -> None:
        """Send one command whose answer comes by `pushed`."""
        if self._transport is not None and not self.is_lost:
            self._transport.write(pack(command))

    def close(self) -> None:
        """Let go at once. Whoever waits is told that the answer is lost."""
        self._lose("the connection was closed")
        if self._transport is not None and not self._loop.is_closed():
            self._transport.abort()

    def _look_at_clock(self) -> None:
        self._watch = None
        if not self._waiting:
            return
        left = self._waiting[0][0] + self._call_seconds - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look_at_clock)
            return
        self._lose(f"no answer within {self._call_seconds:g} s")
        if self._transport is not None:
            self._transport.abort()

    def _lose(self, why: str) -> None:
        if self.is_lost:
            return
        self.is_lost = True
        if self._watch is not None:
            self._watch.cancel()
        waiting, self._waiting = self._waiting, deque()
        if self._loop.is_closed():
            return
        for _, answer in waiting:
            if not answer.done():
                text = f"{self.where} did not answer ({why}); what was asked may have been done: repeat the same call"
                answer.set_exception(StoreUnavailable(text))
        if self._pushed is not None:
            self._pushed(None)

    # ------------------------------------------------------------ what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        watch(transport)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        self._is_heard = True
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not False:
                self._take(reply)
        except hiredis.ProtocolError as error:
            self._lose(f"what it says is not Redis's protocol: {error}")
            if self._transport is not None:
                self._transport.abort()

    def _take(self, reply: Any) -> None:
        if self._pushed is not None and not self._waiting:
            self._pushed(reply)
        elif self._waiting:
            _, answer = self._waiting.popleft()
            if not answer.done():
                answer.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        why = str(error) if error else "the server closed the connection"
        self._lose(why if self._is_heard else f"{why}, without a word: does it speak TLS, as rediss:// does?")


async def connect(options: Options, address: Address, pushed: Callable[[Any], None] | None = None) -> Connection:
    """A connection that has logged in and chosen its database. Raises `StoreUnavailable` or `AccessDenied`."""
    host, port = address
    where = f"Redis at {host}:{port}"
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(options.call_seconds):
            _, connection = await loop.create_connection(
                lambda: Connection(where, options.call_seconds, pushed), host, port, ssl=tls(options)
            )
    except ssl.SSLError as error:
        raise untrusted(error, where) from error
    except (OSError, TimeoutError) as error:
        what = str(error) or f"no answer within {options.call_seconds:g} s"
        advice = f"is it running, and {'does it speak TLS' if options.tls else 'is the URL right'}?"
        raise StoreUnavailable(f"{where} cannot be reached: {what}; {advice}") from error
    try:
        await checked(connection, greeting(options))
    except BaseException:
        connection.close()
        raise
    return connection


def greeting(options: Options) -> list[Command]:
    """What a connection says first: who it is, and which database it wants."""
    words: list[Command] = []
    if options.user:  # who may come without a password: no reason to come as somebody else
        words.append(("AUTH", options.user, options.password))
    elif options.password:
        words.append(("AUTH", options.password))
    if options.database:
        words.append(("SELECT", options.database))
    return words


class Asked(Protocol):
    """A connection, of whichever kind."""

    where: str

    def ask(self, command: Command) -> Awaitable[Any]:
        """Send one command. An error reply is its answer, not raised."""
        ...


async def checked(connection: Asked, commands: Sequence[Command]) -> list[Any]:
    """Send commands one after the other; their answers, or the error of ours that the first error reply means."""
    answers = []
    for command in commands:
        answer = await connection.ask(command)
        if isinstance(answer, hiredis.ReplyError):
            raise explain(answer, connection.where) from answer
        answers.append(answer)
    return answers


def is_error(reply: Any) -> bool:
    return isinstance(reply, hiredis.ReplyError)


def tls(options: Options) -> ssl.SSLContext | None:
    if not options.tls:
        return None
    try:
        return ssl.create_default_context(cafile=options.tls_ca or None)
    except OSError as error:  # of which those of ssl are some
        raise BadSetting(f"tls_ca={options.tls_ca} is no file of certificates in PEM ({error})") from error


def untrusted(error: ssl.SSLError, where: str) -> StoreError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return StoreError(
            f"{where} shows a certificate that is not trusted ({error.verify_message}): name the file of its authority "
            "with tls_ca=, and the host as the certificate does"
        )
    return StoreUnavailable(f"{where} cannot be reached by TLS ({error}); if it speaks none, write redis://")

"""One HTTP/1.1 exchange: a request out, an answer in, each within its time and size; a redirect is an answer."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from shike.egress.rules import Rules, Target
from shike.errors import BadInput, CallFailed

CONNECT_SECONDS: Final = 5.0
HEAD_BYTES_MAX: Final = 32 * 1024
ANSWER_BYTES_MAX: Final = 64 * 1024  # as large as a result may be
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[^\r\n]*)?\r\n")


class Heard(Struct, frozen=True):
    """What came back. `headers` by small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


async def exchange(
    rules: Rules,
    verb: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    seconds: float,
    bytes_max: int = ANSWER_BYTES_MAX,
) -> Heard:
    """Send a request and read its answer, all within `seconds`. Raises `AddressBlocked` where it must not go,
    `CallFailed` where nothing that can be read comes back, `BadInput` for headers that are none."""
    target = rules.target(url)
    head = _head(verb, target, headers, len(body))
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await _connected(rules, target)
            try:
                writer.write(head + body)
                await writer.drain()
                return await _answer(reader, verb, bytes_max)
            finally:
                writer.transport.abort()
    except TimeoutError:
        raise CallFailed(f"{target.host} did not answer within {seconds:g} s") from None
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise CallFailed(f"{target.host} could not be asked: {error or type(error).__name__}") from None


async def _connected(rules: Rules, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to one of the addresses that were checked; the certificate is that of the *name*."""
    secure = ssl.create_default_context() if target.scheme == "https" else None
    failure: OSError | None = None
    for address in await rules.addresses(target):
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncio.open_connection(
                    address,
                    target.port,
                    ssl=secure,
                    server_hostname=target.host if secure else None,
                    limit=HEAD_BYTES_MAX,
                )
        except TimeoutError:
            failure = OSError(f"no connection within {CONNECT_SECONDS:g} s")
        except OSError as error:
            failure = error
    raise failure or OSError("it has no address")


def _head(verb: str, target: Target, headers: Mapping[str, str], length: int) -> bytes:
    own = {"host": target.authority, "content-length": str(length), "connection": "close"}
    lines = [f"{verb} {target.path} HTTP/1.1"]
    for name, value in {**{key.lower(): one for key, one in headers.items()}, **own}.items():
        if not _NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
            raise BadInput(f"{name:.40}: {value:.40!r} is no header")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


async def _answer(reader: asyncio.StreamReader, verb: str, bytes_max: int) -> Heard:
    while True:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).rstrip(b"\r\n").split(b"\r\n")
        match = _STATUS.fullmatch(first)
        if match is None:
            raise CallFailed(f"what came back is no HTTP: {first[:40]!r}")
        status = int(match[1])
        if status >= 200:
            break
    headers = {}
    for line in lines:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    empty = status in (204, 304) or verb == "HEAD"
    return Heard(status, headers, b"" if empty else await _body(reader, headers, bytes_max))


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str], bytes_max: int) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunks(reader, bytes_max)
    length = headers.get("content-length", "")
    if length:
        if not length.isascii() or not length.isdigit() or len(length) > 12:
            raise CallFailed(f"what came back has no length that can be read: {length[:40]!r}")
        _check(int(length), bytes_max)
        return await reader.readexactly(int(length))
    parts, size = [], 0
    while part := await reader.read(65_536):
        size += len(part)
        _check(size, bytes_max)
        parts.append(part)
    return b"".join(parts)


async def _chunks(reader: asyncio.StreamReader, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        match = _CHUNK.fullmatch(await reader.readuntil(b"\r\n"))
        if match is None:
            raise CallFailed("what came back is not chunked as it says")
        length = int(match[1], 16)
        if not length:
            return b"".join(parts)
        size += length
        _check(size, bytes_max)
        parts.append(await reader.readexactly(length))
        await reader.readexactly(2)


def _check(size: int, bytes_max: int) -> None:
    if size > bytes_max:
        raise CallFailed(f"what came back is longer than {bytes_max:,} bytes; answer with a reference to it")

"""One HTTP exchange over ASGI: what was sent, within bounds, and what is sent back. The only file that speaks ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, MutableMapping
from functools import cached_property
from typing import Any, Final, TypeVar

from shike.errors import ShikeError

T = TypeVar("T")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

FORM_TYPES: Final = frozenset({"application/x-www-form-urlencoded"})
JSON_TYPES: Final = frozenset({"application/json", "application/problem+json", "application/merge-patch+json"})
SAFE_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


class Gone(Exception):
    """Whoever asked does not listen any more."""


class BadBody(ShikeError):
    """A body that is not read: of another type, or too long; `status` says which."""

    def __init__(self, message: str, *, status: int, name: str, limit: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.name = name
        self.limit = limit


class Wire:
    """A request that came, and the way back."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._scope = scope
        self.verb: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.params: dict[str, str] = scope["path_params"]
        self.root: str = scope.get("root_path", "").rstrip("/")  # where another application has mounted this one
        self.is_secure: bool = scope.get("scheme") == "https"
        client = scope.get("client")
        self.address: str = client[0] if client else "local"

    @cached_property
    def headers(self) -> dict[str, str]:
        """By small letters; of one that was sent twice the first counts."""
        found: dict[str, str] = {}
        for name, value in self._scope["headers"]:
            found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        return found

    async def body(self, limit: int, types: frozenset[str] = JSON_TYPES) -> bytes:
        """All of a body; raises `BadBody` for another type and for one that is longer, after `limit` bytes."""
        kind = self.headers.get("content-type", min(types)).partition(";")[0].strip().lower()
        if kind not in types:
            wanted, name = (
                ("application/json", "not-json") if types is JSON_TYPES else (", ".join(sorted(types)), "not-a-form")
            )
            raise BadBody(f"send {wanted}, not {kind:.60}", status=415, name=name)
        if self.headers.get("content-encoding", "identity") != "identity":
            raise BadBody("send it without a content-encoding", status=415, name="encoded")
        length = self.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and (len(length) > 15 or int(length) > limit):
            raise _too_long(limit)
        parts, size, more = [], 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise _too_long(limit)
            more = message.get("more_body", False)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def unless_gone(self, work: Coroutine[Any, Any, T]) -> T:
        """Work that may take long; given up when the other side leaves. Raises `Gone` then."""
        task = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self._left())
        try:
            await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Gone
            return task.result()
        finally:
            for one in (task, gone):
                one.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def send(self, status: int, media_type: str, headers: Mapping[str, str], raw: bytes) -> None:
        """A whole answer; of a HEAD request its head."""
        bare = status in (204, 304)
        await self._start(status, "" if bare else media_type, headers, None if bare else len(raw))
        body = b"" if self.verb == "HEAD" or bare else raw
        await self._send({"type": "http.response.body", "body": body})

    async def stream(
        self, status: int, media_type: str, headers: Mapping[str, str], events: AsyncIterator[bytes]
    ) -> None:
        """An answer that comes bit by bit, until it ends or nobody listens."""
        try:
            first = await anext(events, b"")  # what keeps it from beginning is told with a status of its own
            await self._start(status, media_type, headers, None)
            await self._send({"type": "http.response.body", "body": first, "more_body": True})
            if self.verb != "HEAD":
                await self.unless_gone(self._pour(events))
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()

    async def _pour(self, events: AsyncIterator[bytes]) -> None:
        async for event in events:
            await self._send({"type": "http.response.body", "body": event, "more_body": True})

    async def _start(self, status: int, media_type: str, headers: Mapping[str, str], length: int | None) -> None:
        packed = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        if media_type:
            packed.append((b"content-type", media_type.encode("latin-1")))
        if length is not None:
            packed.append((b"content-length", str(length).encode()))
        packed += [pair for pair in SAFE_HEADERS if pair[0].decode() not in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": packed})


def _too_long(limit: int) -> BadBody:
    return BadBody(f"the body is longer than {limit:,} bytes", status=413, name="body-too-long", limit=limit)

"""Messages that never can be a run: kept in the store with the reason, the newest ASIDE_KEPT of each intake."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
from msgspec import Struct

from shike.connect.bounds import ASIDE_BODY_BYTES, ASIDE_KEPT, ID_CHARS_MAX
from shike.connect.sources.base import Message
from shike.errors import Conflict
from shike.outbox.table import as_reason
from shike.store.base import Control, Store

KEY = "aside/{name}/"  # of control rows


class SetAside(Struct, frozen=True):
    """A message that was set aside: at `at` (UTC µs), for this reason. `body` is its beginning."""

    at: int
    id: str
    topic: str
    reason: str
    body: bytes
    size_bytes: int


class Aside:
    """Of one intake. A message that comes again takes the place that it had."""

    def __init__(self, name: str, wall: Callable[[], int]) -> None:
        self._prefix = KEY.format(name=name)
        self._wall = wall

    async def put(self, store: Store, message: Message, error: BaseException) -> str:
        """Keep one, and drop the oldest where there are too many; the reason."""
        reason = as_reason(error)
        body = message.body[:ASIDE_BODY_BYTES]
        shown = _clean(message.id), _clean(message.topic)
        one = SetAside(self._wall(), *shown, reason, body, len(message.body))
        await store.put(self._prefix + _digest(message), msgspec.json.encode(one), expect=None)
        rows = await store.controls(self._prefix)
        if len(rows) > ASIDE_KEPT:
            for row in sorted(rows, key=lambda row: _read(row).at)[:-ASIDE_KEPT]:
                await _drop(store, row)
        return reason

    async def all(self, store: Store) -> list[SetAside]:
        """Oldest first."""
        return sorted(map(_read, await store.controls(self._prefix)), key=lambda one: one.at)

    async def clear(self, store: Store) -> int:
        """Forget them; how many."""
        rows = await store.controls(self._prefix)
        for row in rows:
            await _drop(store, row)
        return len(rows)


async def _drop(store: Store, row: Control) -> None:
    try:
        await store.put(row.key, None, expect=row.version)
    except Conflict:  # another was there first, or it came again
        pass


def _read(row: Control) -> SetAside:
    return msgspec.json.decode(row.value, type=SetAside)


def _digest(message: Message) -> str:
    known = message.id.encode(errors="surrogatepass") or message.body
    return hashlib.sha256(message.topic.encode(errors="surrogatepass") + b"\0" + known).hexdigest()[:32]


def _clean(text: str) -> str:
    return text[:ID_CHARS_MAX].replace("\0", "�").encode(errors="replace").decode()

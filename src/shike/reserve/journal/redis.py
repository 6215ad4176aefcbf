"""The journal on Redis: a sorted set of frames per ledger, appended by one script.

With `appendfsync always` nothing is lost, with `everysec` up to two seconds at power loss. All keys of a namespace
carry one hash tag, so one script may write many ledgers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import DecodeError, ValidationError, msgpack

from shike.errors import DamagedJournal
from shike.reserve.journal.base import Frame, Kept
from shike.reserve.journal.memory import fenced
from shike.store.redis.cluster import Cluster
from shike.store.redis.opening import check
from shike.store.redis.options import check_namespace, parse
from shike.store.redis.server import OneServer, Server
from shike.store.redis.wire import Command

# KEYS: {ns}:ends (ledger → version after its last frame), {ns}:names (all ledgers, in order), then for each frame
# {ns}:frames:<ledger>. ARGV: for each frame its ledger, version, version after it, and the frame itself.
# Answers 0, or the number (from 1) of the first frame that does not follow; then nothing was written.
APPEND: Final = """
local ends = {}
for i = 1, #ARGV / 4 do
  local ledger, version, after = ARGV[i * 4 - 3], ARGV[i * 4 - 2], ARGV[i * 4 - 1]
  local at = ends[ledger] or redis.call('hget', KEYS[1], ledger) or '0'
  if at ~= version then return i end
  ends[ledger] = after
end
for i = 1, #ARGV / 4 do
  local ledger = ARGV[i * 4 - 3]
  redis.call('zadd', KEYS[i + 2], ARGV[i * 4 - 2], ARGV[i * 4])
  redis.call('hset', KEYS[1], ledger, ARGV[i * 4 - 1])
  redis.call('zadd', KEYS[2], 0, ledger)
end
return 0
"""
# KEYS: {ns}:kept:<ledger>. ARGV: version, the snapshot. Keeps it unless there is one of a later version.
KEEP: Final = """
local at = redis.call('hget', KEYS[1], 'version')
if not at or tonumber(at) <= tonumber(ARGV[1]) then
  redis.call('hset', KEYS[1], 'version', ARGV[1], 'kept', ARGV[2])
end
return 0
"""
_FRAME: Final = msgpack.Decoder(Frame)
_KEPT: Final = msgpack.Decoder(Kept)


class RedisJournal:
    """Keeps the promises of `Journal` on one server, or one slot of a cluster's node."""

    def __init__(self, url: str, namespace: str = "reserve") -> None:
        check_namespace(namespace)
        self._options = parse(url)
        self._tag = f"{{{namespace}}}"
        self._server: Server = (Cluster if self._options.cluster else OneServer)(self._options, tuple)

    async def open(self) -> None:
        """Raises `UnsafeStore` for a server that may lose what it is given, unless the URL accepts it (P8)."""
        await check(self._server, [self._tag.encode()], self._options)

    async def close(self) -> None:
        await self._server.close()

    async def append(self, frames: Sequence[Frame]) -> None:
        keys = [self._key("ends"), self._key("names"), *(self._key("frames", frame.ledger) for frame in frames)]
        words: list[bytes | str | int] = []
        for frame in frames:
            words += [frame.ledger, frame.version, frame.end, msgpack.encode(frame)]
        wrong = await self._ask(("EVAL", APPEND, len(keys), *keys, *words))
        if wrong:
            raise fenced(frames[wrong - 1].ledger, frames[wrong - 1].version)

    async def frames(self, ledger: str, after: int = 0, most: int = 1_000) -> list[Frame]:
        key = self._key("frames", ledger)
        found = await self._ask(("ZRANGEBYSCORE", key, after, "+inf", "LIMIT", 0, most))
        return [_frame(ledger, after, frame) for frame in found]

    async def keep(self, kept: Kept) -> None:
        await self._ask(("EVAL", KEEP, 1, self._key("kept", kept.ledger), kept.version, msgpack.encode(kept)))

    async def kept(self, ledger: str) -> Kept | None:
        found = await self._ask(("HGET", self._key("kept", ledger), "kept"))
        try:
            return _KEPT.decode(found) if found is not None else None
        except (DecodeError, ValidationError):
            return None  # it is passed over: the frames are the truth

    async def ledgers(self, after: str = "", most: int = 1_000) -> list[str]:
        first = f"({after}" if after else "-"
        found = await self._ask(("ZRANGEBYLEX", self._key("names"), first, "+", "LIMIT", 0, most))
        return [name.decode() for name in found]

    def _key(self, *parts: str) -> str:
        return ":".join((self._tag, *parts))

    async def _ask(self, command: Command) -> Any:
        return await self._server.command(self._tag.encode(), *command)


def _frame(ledger: str, after: int, data: bytes) -> Frame:
    try:
        return _FRAME.decode(data)
    except (DecodeError, ValidationError) as error:
        raise DamagedJournal(
            f"a frame of ledger {ledger!r} after event {after} cannot be read: {error}", ledger=ledger, version=after
        ) from error

"""Messages of a Redis stream, by a consumer group."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Any, Final

import msgspec

from shike.connect.bounds import BLOCK_SECONDS, CONSUMER_IDLE_SECONDS, HAND_SECONDS, TAKEN_AT_ONCE
from shike.connect.redis import RedisLink
from shike.connect.sources.base import Hands, Message, Source, Take
from shike.errors import BrokerError
from shike.ids import SystemEntropy

ID: Final = "id"  # a field that gives the sender's own id


class RedisStreamSource(Source):
    """What is added to the stream `key`, from its beginning, by a consumer group of its name (made where missing).

    The id is the field `id`, else that of the entry. The body is the field `field`; where none is named, a JSON object
    of all fields, whose values are texts. Receivers of one name share the messages; one in hand for longer than
    HAND_SECONDS is given to another, too. *Lost*: what Redis loses, and what is trimmed off the stream before it was
    read: whoever adds with MAXLEN chooses that.
    """

    def __init__(self, url: str, key: str, *, field: str = "") -> None:
        super().__init__(url)
        self._key = key
        self._field = field
        self._link = RedisLink(url)
        self._consumer = f"{socket.gethostname()}-{SystemEntropy().token_hex(8)}"

    async def open(self, name: str) -> None:
        await self._link.open()
        self._group = name
        try:
            await self._make_group()
            await self._forget_the_gone()
        except BaseException:
            await self._link.close()
            raise

    async def _make_group(self) -> None:
        try:
            await self._link.asked(self._link.client.xgroup_create(self._key, self._group, id="0", mkstream=True))
        except BrokerError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _forget_the_gone(self) -> None:
        """Consumers that neither have anything in hand nor read for long: a group would gather them for ever."""
        for one in await self._link.asked(self._link.client.xinfo_consumers(self._key, self._group)):
            if not one["pending"] and one["idle"] > CONSUMER_IDLE_SECONDS * 1_000:
                await self._link.asked(self._link.client.xgroup_delconsumer(self._key, self._group, one["name"]))

    async def close(self) -> None:
        await self._link.close()

    async def receive(self, take: Take) -> None:
        hands = Hands(take)
        loop = asyncio.get_running_loop()
        look_at = loop.time()
        try:
            while True:
                if loop.time() >= look_at:  # at what others left, and what was not taken here
                    left = await self._left()
                    if len(left) < TAKEN_AT_ONCE:  # else there may be more
                        look_at = loop.time() + HAND_SECONDS / 2
                    await self._give(hands, left)
                await self._give(hands, await self._read())
        finally:
            await hands.empty()

    async def _read(self) -> list[Any]:
        answer = await self._link.asked(
            self._link.client.xreadgroup(
                self._group,
                self._consumer,
                {self._key: ">"},
                count=TAKEN_AT_ONCE,
                block=round(BLOCK_SECONDS * 1_000),
            )
        )
        if isinstance(answer, dict):  # of the third protocol
            answer = [(key, entries[0] if entries else []) for key, entries in answer.items()]
        return [entry for _, entries in answer or [] for entry in entries]

    async def _left(self) -> list[Any]:
        answer = await self._link.asked(
            self._link.client.xautoclaim(
                self._key, self._group, self._consumer, round(HAND_SECONDS * 1_000), count=TAKEN_AT_ONCE
            )
        )
        return [entry for entry in answer[1] if entry[1]]  # without those that were trimmed off

    async def _give(self, hands: Hands, entries: list[Any]) -> None:
        for entry_id, fields in entries:
            await hands.give(self._message(entry_id.decode(), fields), partial(self._tell, entry_id))

    async def _tell(self, entry_id: bytes, taken: bool) -> None:
        if taken:  # else it is looked at again with what others left
            await self._link.asked(self._link.client.xack(self._key, self._group, entry_id))

    def _message(self, entry_id: str, fields: dict[bytes, bytes]) -> Message:
        if self._field:
            body = fields.get(self._field.encode(), b"")
        else:
            body = _as_object(fields)
        sent_id = fields.get(ID.encode(), b"").decode(errors="replace")
        return Message(sent_id or entry_id, body, self._key)


def _as_object(fields: dict[bytes, bytes]) -> bytes:
    try:
        return msgspec.json.encode({name.decode(): value.decode() for name, value in fields.items()})
    except UnicodeDecodeError:
        return b"\n".join(name + b"=" + value for name, value in fields.items())  # no JSON: it is set aside, as it is

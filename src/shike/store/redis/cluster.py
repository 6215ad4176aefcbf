"""A cluster: each bucket's keys lie in one slot, each slot on one node, and nodes say where a slot has gone."""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Sequence
from typing import Any, Final

from shike.errors import BadStoreURL, StoreUnavailable
from shike.store.redis.faults import explain
from shike.store.redis.options import Options
from shike.store.redis.scripts import scripts
from shike.store.redis.server import Head, Links, Words, run
from shike.store.redis.wire import Address, Connection, checked, is_error

SLOTS: Final = 16_384
HOPS_MAX: Final = 5  # redirections of one call
AGAIN_SECONDS: Final = 0.1


def slot_of(tag: bytes) -> int:
    """Where keys with a hash tag lie: CRC-16 (XMODEM) of what stands between the braces."""
    return binascii.crc_hqx(tag[1 : tag.index(b"}")], 0) % SLOTS


class Cluster:
    """Talks to the node that has a bucket; follows it where it has moved. A script works in one bucket.

    While a slot moves, its keys are in part here and in part there, and a script sees only those of one node: it would
    take the others for missing, and count from one again. So nobody is followed to where a slot is about to be (ASK):
    its bucket is not available until the move is over. (No key has the name of a tag alone, which is what scripts name
    as their key, so the old node runs none of them once the move has begun.)
    """

    one_step = False

    def __init__(self, options: Options, head: Head) -> None:
        self._options = options
        self._head = head
        self._links = Links(options)
        self._scripts = scripts()
        self._nodes: list[tuple[int, int, Address]] = []  # from slot, to slot, who

    async def script(self, name: str, tags: Sequence[bytes], words: Words) -> Any:
        script = self._scripts[name]

        async def on(connection: Connection) -> Any:
            return await run(connection, script, (len(tags), *tags, *self._head(), *words), self._options)

        return await self._follow(tags[0], on)

    async def command(self, tag: bytes, *words: bytes | str | int) -> Any:
        async def on(connection: Connection) -> Any:
            return (await checked(connection, [words]))[0]

        return await self._follow(tag, on)

    async def each(self, tags: Sequence[bytes], *words: bytes | str | int) -> dict[Address, Any]:
        first = {await self._node_of(slot_of(tag)): tag for tag in reversed(tags)}
        return {address: await self.command(tag, *words) for address, tag in sorted(first.items())}

    async def near(self, tag: bytes) -> Sequence[Address]:
        first = await self._node_of(slot_of(tag))
        return [first, *(host for host in self._options.hosts if host != first)]

    async def close(self) -> None:
        await self._links.close()

    def forget(self) -> None:
        self._links.forget()

    async def _follow(self, tag: bytes, on: Any) -> Any:
        address: Address | None = None
        for _ in range(HOPS_MAX):
            connection = await self._links.here().to(address or await self._node_of(slot_of(tag)))
            try:
                return await on(connection)
            except StoreUnavailable as error:
                address = self._moved(error)
                if address is None:
                    self._nodes = []
                    raise
        raise StoreUnavailable(f"the cluster at {self._options.where} sends us in circles; the call may be repeated")

    def _moved(self, error: StoreUnavailable) -> Address | None:
        """Where an error reply says that the slot is by now."""
        words = str(error.__cause__ or "").split()
        if len(words) == 3 and words[0] == "MOVED":
            self._nodes = []  # and learn anew
            host, _, port = words[2].rpartition(":")
            return host, int(port)
        return None

    async def _node_of(self, slot: int) -> Address:
        if not self._nodes:
            self._nodes = await self._learn()
        for first, last, address in self._nodes:
            if first <= slot <= last:
                return address
        self._nodes = []
        raise StoreUnavailable(f"no node of the cluster at {self._options.where} has slot {slot}; repeat the call")

    async def _learn(self) -> list[tuple[int, int, Address]]:
        """Ask whoever answers first which node has which slots."""
        why = ""
        for address in self._options.hosts:
            try:
                connection = await self._links.here().to(address)
                reply = await connection.ask((b"CLUSTER", b"SLOTS"))
            except StoreUnavailable as error:
                why = str(error)
                continue
            if is_error(reply):
                if "cluster support disabled" in str(reply):
                    host, port = address
                    raise BadStoreURL(f"{connection.where} is no node of a cluster; write redis://{host}:{port}/0")
                raise explain(reply, connection.where) from reply
            return [(first, last, (node[0].decode() or address[0], node[1])) for first, last, node, *_ in reply]
        await asyncio.sleep(AGAIN_SECONDS)
        raise StoreUnavailable(f"no node of the cluster answers: {why}")

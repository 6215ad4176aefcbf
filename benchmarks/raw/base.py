"""What a raw store is asked to do."""

from __future__ import annotations

from typing import Protocol

PAYLOAD = b"x" * 120
EIGHT = 8  # bytes of a number that sorts


class RawStore(Protocol):
    """Numbers grow from 0 and stand for ids and due times. Every verb returns when what it did is durable."""

    async def open(self) -> None:
        """Connect and make the tables."""

    async def append(self, first: int, count: int) -> None:
        """The fastest insert of a batch that the store has, in no order that a claim could use: the yardstick."""

    async def insert(self, first: int, count: int) -> None:
        """Insert a batch that can be claimed by due time."""

    async def claim(self, token: int, count: int) -> int:
        """Move the first `count` of them into a lease; how many there were."""

    async def ack(self, token: int) -> None:
        """Turn the lease into history."""

    async def close(self) -> None:
        """Let go."""

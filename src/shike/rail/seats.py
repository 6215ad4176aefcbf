"""The port from the railway to its ledgers, each by the key of its departure; and the clerk behind it."""

from __future__ import annotations

from typing import Protocol

from shike.reserve import query
from shike.reserve.clerk import Clerk
from shike.reserve.commands import AnyCommand
from shike.reserve.events import AnyEvent
from shike.reserve.model import Refusal
from shike.reserve.state import State


class Seats(Protocol):
    """Whoever keeps the ledgers. What it says yes to is kept for good."""

    async def ask(self, ledger: str, command: AnyCommand) -> AnyEvent | Refusal:
        """The event that a command has led to, or why it led to none. The same for the same command again."""

    async def state(self, ledger: str) -> State:
        """A ledger as it stands, to ask and not to change; of one that was never opened, without anything."""


class ClerkSeats:
    """The ledgers of a clerk, its only writer. Raises what the clerk raises; the same command may then be repeated."""

    def __init__(self, clerk: Clerk) -> None:
        self._clerk = clerk

    async def ask(self, ledger: str, command: AnyCommand) -> AnyEvent | Refusal:
        return await self._clerk.do(ledger, command)

    async def state(self, ledger: str) -> State:
        return (await self._clerk.read(ledger)).state


def available(state: State, pool: str, start: int, end: int, *, at: int, channel: str) -> int:
    """Takes that a hold would get: 0 too where nothing is on sale yet, or any more."""
    return query.available(state, pool, start, end, at=at, channel=channel) if state.version else 0


def table(state: State, pool: str) -> list[list[int]]:
    """Units left on every section, rules aside: row `start`, column `end` − `start` − 1."""
    return query.table(state, pool) if state.version else []


def units_of(state: State, order: int) -> tuple[str, ...]:
    """What the units of an order are called now. Until its pool is sealed they may still change; "" is none yet."""
    found = state.orders[order]
    names = state.pools[found.pool].pool.units
    return tuple(names[unit].name if 0 <= unit < len(names) else "" for unit in found.units)

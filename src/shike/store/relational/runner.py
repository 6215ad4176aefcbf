"""Runs verbs: gives each a connection, commits, tells, and repeats what the server took back."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from shike.clock import Clock
from shike.errors import ForeignStore, SessionClosed, StoreUnavailable
from shike.store.hints import Hint
from shike.store.relational.floors import Floors
from shike.store.relational.grants import Grants
from shike.store.relational.guest import taken_back
from shike.store.relational.keeping import make_days
from shike.store.relational.link import Again, Link, NoDay
from shike.store.relational.names import Names
from shike.store.relational.pools import Pools
from shike.store.relational.tx import Facts, Tx

log = logging.getLogger("shike.store")

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 10  # of a verb that deadlocks; each time somebody else got through
PAUSE_SECONDS = 0.005  # after the first of them; then longer, with jitter

REMADE = (SessionClosed, ForeignStore)  # what tables that were dropped and made anew say to who knew the old ones

Verb = Callable[Concatenate[Tx, P], Coroutine[Any, Any, T]]


class Runner:
    """The verbs of one open store."""

    def __init__(self, pools: Pools, facts: Facts, clock: Clock | None, tell: Callable[[list[Hint]], None]) -> None:
        self._pools = pools
        self._facts = facts
        self._clock = clock
        self._tell = tell
        self._names = Names()
        self._grants = Grants()
        self._floors = Floors()

    async def write(self, verb: Callable[Concatenate[Tx, P], Awaitable[T]], *words: P.args, **more: P.kwargs) -> T:
        """One atomic step. Raises `StoreUnavailable` where the connection was lost: whether it was done is unknown."""
        for attempt in range(TRIES):
            try:
                return await self._once(verb, *words, **more)
            except NoDay:
                await self.write(make_days)
            except Again as error:
                log.debug("repeating a step: %s", error)
                await asyncio.sleep(PAUSE_SECONDS * 2 ** min(attempt, 5) * random.random())
        raise StoreUnavailable(f"the database took this step back {TRIES} times; repeat the call")

    def forget_names(self) -> None:
        """The server that is talked to may be another, which has lost the last commits and gives their numbers anew; or
        the tables may be others."""
        self._names = Names()
        self._floors.forget()

    async def read(self, read: Callable[Concatenate[Tx, P], Awaitable[T]], *words: P.args, **more: P.kwargs) -> T:
        """A connection that was lost while nobody used it is no reason to fail: reads are tried twice."""
        try:
            return await self.write(read, *words, **more)
        except StoreUnavailable:
            return await self.write(read, *words, **more)

    async def on(
        self, link: Link, verb: Callable[Concatenate[Tx, P], Awaitable[T]], *words: P.args, **more: P.kwargs
    ) -> tuple[T, list[Hint]]:
        """One step on a connection of somebody else's, within its transaction; nobody is told of it here. Every name
        must have been learnt before: what is read there may be taken back."""
        tx = self._tx(link)
        try:
            return await self._within(tx, link, verb(tx, *words, **more)), tx.hints
        except (Again, NoDay) as error:
            raise taken_back(error) from error

    def _tx(self, link: Link) -> Tx:
        given = None if self._clock is None else self._clock.wall()
        return Tx(link, self._facts, self._names, self._grants, given, self._floors)

    async def _once(self, verb: Callable[Concatenate[Tx, P], Awaitable[T]], *words: P.args, **more: P.kwargs) -> T:
        pool = self._pools.here()
        try:
            async with pool.link() as link:
                tx = self._tx(link)
                answer = await self._within(tx, link, verb(tx, *words, **more))
        except StoreUnavailable:
            pool.forget_idle()
            raise
        if tx.hints:
            self._tell(tx.hints)
        return answer

    async def _within(self, tx: Tx, link: Link, work: Awaitable[T]) -> T:
        try:
            answer = await work
            if tx.has_begun:
                await link.commit()
        except Exception as error:
            if isinstance(error, REMADE):
                self.forget_names()
            if tx.has_begun:
                await link.rollback()
            raise
        return answer  # a cancelled verb leaves its connection inside of a transaction: the pool drops it

"""`PostgresStore`: connections, opening and wake-up under the face of `RelationalStore`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg

from shike.bounds import CRASHES_MAX
from shike.clock import Clock
from shike.errors import BadSetting, StoreUnavailable
from shike.ids import SystemEntropy
from shike.store.guests import Guest
from shike.store.hints import Hint
from shike.store.postgres.faults import BROKEN, unreachable
from shike.store.postgres.guest import PostgresGuest, link_of
from shike.store.postgres.link import WAITS, PostgresLink, statements
from shike.store.postgres.opening import check_server, prepare
from shike.store.postgres.options import Options, parse
from shike.store.postgres.wakeup import Ear
from shike.store.relational.carried import CarriedStore
from shike.store.relational.guest import GuestLink
from shike.store.relational.keeping import DAYS_AHEAD, make_days
from shike.store.relational.options import check_namespace
from shike.store.relational.pools import Pools
from shike.store.relational.runner import Runner
from shike.store.relational.store import VIRTUAL_BUCKETS
from shike.store.relational.tx import Facts
from shike.store.relational.wakeup import FROM_OUTSIDE, TAG_BYTES, Wakeup, parcels
from shike.store.sockets import watch

STATEMENTS_KEPT = 256  # prepared on each connection; there are about a hundred
SETTINGS = {
    "application_name": "shike",
    "jit": "off",  # our statements are short; compiling one takes longer than a thousand of them
    "enable_seqscan": "off",  # a plan made while a table was nearly empty would be kept when it is full
    "enable_bitmapscan": "off",  # an index scan in order stops early, and marks what it finds dead
    "plan_cache_mode": "force_generic_plan",  # else some are planned anew with each call, for longer than they run
    "default_transaction_isolation": "read committed",
    **WAITS,
}


class PostgresStore(CarriedStore):
    """Keeps everything in tables `{namespace}_…` of a PostgreSQL schema, 13 or newer.

    A commit is on the server's disk before its verb answers, unless the server is set otherwise: then it is refused,
    but where the URL accepts the loss by name (P8). `clock`: what the store's clock shows, for tests; None, the
    server's own. `virtual_buckets` is fixed when the store is made; None takes what is there. URL: `options.parse`.
    Raises `BadStoreURL`, `BadSetting`.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        namespace: str = "shike",
        virtual_buckets: int | None = None,
        crashes_max: int = CRASHES_MAX,
    ) -> None:
        if virtual_buckets is not None and virtual_buckets not in VIRTUAL_BUCKETS:
            raise BadSetting(f"virtual_buckets={virtual_buckets}: a store has 1, 64 or 256")
        check_namespace(namespace)
        super().__init__(url, namespace)
        self._options: Options = parse(url)
        self.clock = clock
        self.virtual_buckets = virtual_buckets or 1
        self._buckets_wanted = virtual_buckets
        self._crashes_max = crashes_max
        self._sql = statements(namespace)
        self._is_pooled = bool(self._options.pooled)
        self._pools = Pools(self._link, self._options.connections, self._options.call_seconds)
        tag = SystemEntropy().token_hex(TAG_BYTES)
        self._wakeup = Wakeup(
            lambda hear: Ear(self._listening, self._sql, tag, hear),
            tag,
            self._notify,
            self._listeners.tell,
            greets=True,
        )
        self._warnings: list[str] = []

    # ---------------------------------------------------------------- opening and closing

    async def open(self) -> None:
        if self._runner is not None:
            return
        try:
            self.virtual_buckets, has_days = await self._prepare()
        except (asyncpg.PostgresError, *BROKEN) as error:
            raise unreachable(error, self._options.where) from error
        facts = Facts(self.virtual_buckets, self._crashes_max, at_once=True, moves_at_once=True, leaves_dead=True)
        runner = Runner(self._pools, facts, self.clock, self._tell)
        try:
            if not has_days:
                await runner.write(make_days)
        except BaseException:
            await self._pools.close()
            raise
        self._runner = runner

    async def _prepare(self) -> tuple[int, bool]:
        """On one connection; the virtual buckets, and whether the history has its partitions."""
        connection = await self._connect(self._options.dsn, statement_cache_size=0)
        try:
            if self._options.pooled is None:  # a pooler names a process of its own
                self._is_pooled = connection.get_server_pid() != await connection.fetchval("select pg_backend_pid()")
            self._warnings = await check_server(connection, self._sql, self._options)
            buckets = await prepare(connection, self._sql, self.namespace, self._buckets_wanted)
            given = None if self.clock is None else self.clock.wall()
            return buckets, await connection.fetchval(self._sql["days_ready"], given, DAYS_AHEAD)
        finally:
            await connection.close(timeout=self._options.connect_seconds)

    async def close(self) -> None:
        """What is under way on other loops is cut off; it may be repeated."""
        self._liveness.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await self._wakeup.close()
            await self._pools.close()

    def warnings(self) -> list[str]:
        return self._warnings

    # ---------------------------------------------------------------- connections

    async def _link(self) -> PostgresLink:
        words: dict[str, Any] = {"statement_cache_size": 0} if self._is_pooled else {"server_settings": SETTINGS}
        connection = await self._connect(self._options.dsn, **words)
        try:  # asyncpg asks the server for types it sees first: once, for all
            await connection.prepare(self._sql["types"])
        except BaseException as error:
            connection.terminate()
            if isinstance(error, (asyncpg.PostgresError, *BROKEN)):
                raise unreachable(error, self._options.where) from error
            raise
        if self._runner is not None:
            self._runner.forget_names()
        return PostgresLink(connection, self._sql, self._options.where, pooled=self._is_pooled)

    async def _listening(self) -> asyncpg.Connection:
        return await self._connect(self._options.listen_dsn or self._options.dsn, statement_cache_size=0)

    async def _connect(self, dsn: str, **words: Any) -> asyncpg.Connection:
        words = {"statement_cache_size": STATEMENTS_KEPT} | words
        try:
            connection = await asyncpg.connect(
                dsn, timeout=self._options.connect_seconds, command_timeout=self._options.call_seconds, **words
            )
        except (asyncpg.PostgresError, ValueError, *BROKEN) as error:
            raise unreachable(error, self._options.where) from error
        watch(connection._transport)
        return connection

    # ---------------------------------------------------------------- hints

    def listen(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        if self._runner is None:
            raise StoreUnavailable("the store is not open; open it first")
        unlisten = super().listen(callback)
        if self._is_pooled and not self._options.listen_dsn:  # a pooler passes nothing on; the beat looks
            return unlisten
        leave = self._wakeup.listen_here()

        def stop() -> None:
            unlisten()
            leave()

        return stop

    def _spread(self, hints: list[Hint]) -> None:
        if self._runner is not None:
            self._wakeup.send(hints)

    def _guest(self, guest: Guest) -> PostgresGuest:
        return link_of(guest, self._sql, self._options.where)

    async def _tell_on(self, link: GuestLink, hints: list[Hint]) -> None:
        """A notification is part of the user's transaction: nobody hears of it before the commit."""
        await link.rows("wakeup_tell", [[FROM_OUTSIDE + part for part in parcels(hints)], []])

    async def _notify(self, payloads: list[str], own: list[int]) -> bool:
        """Also while it closes: what a command has just done is all that others wait for."""
        async with self._pools.here().link() as link:
            return bool((await link.rows("wakeup_tell", [payloads, own]))[0][0])

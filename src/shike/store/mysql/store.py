"""`MySQLStore`: connections, opening and wake-up under the face of `RelationalStore`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shike.bounds import CRASHES_MAX
from shike.clock import Clock
from shike.errors import BadSetting, StoreError, StoreUnavailable
from shike.ids import SystemEntropy
from shike.store.guards import Entry
from shike.store.guests import Guest
from shike.store.hints import Hint
from shike.store.mysql import portable
from shike.store.mysql.connecting import PACKET_BYTES, connected, set_up
from shike.store.mysql.faults import NOBODY, code_of
from shike.store.mysql.guest import MySQLGuest, lay, link_of, name_place
from shike.store.mysql.link import MySQLLink
from shike.store.mysql.opening import check_server, flavour_of, prepare, told
from shike.store.mysql.options import Options, parse
from shike.store.mysql.texts import MARIADB, Flavour, statements
from shike.store.mysql.wakeup import Ear
from shike.store.portable import Marker
from shike.store.relational.carried import CarriedStore
from shike.store.relational.keeping import make_days
from shike.store.relational.options import check_namespace
from shike.store.relational.pools import Pools
from shike.store.relational.runner import Runner
from shike.store.relational.store import VIRTUAL_BUCKETS
from shike.store.relational.tx import Facts
from shike.store.relational.wakeup import Wakeup
from shike.store.sockets import watch

IDENTITY_BYTES = 7  # a store is known by: fits a bigint


class MySQLStore(CarriedStore):
    """Keeps everything in tables `{namespace}_…` of a MariaDB database, 10.6 or newer; of MySQL 8.0.19, unverified.

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
        self._flavour: Flavour = MARIADB
        self._sql = statements(namespace, MARIADB)
        self._packet_bytes = PACKET_BYTES
        self._pools = Pools(self._link, self._options.connections, self._options.call_seconds)
        self._laid: set[int] = set()
        self._tag = SystemEntropy().token_hex(6)
        self._wakeup = Wakeup(self._ear, self._tag, self._notify, self._listeners.tell)
        self._warnings: list[str] = []

    # ---------------------------------------------------------------- opening and closing

    async def open(self) -> None:
        if self._runner is not None:
            return
        self.virtual_buckets = await self._prepare()
        facts = Facts(self.virtual_buckets, self._crashes_max, moves_at_once=True)
        runner = Runner(self._pools, facts, self.clock, self._tell)
        await runner.write(make_days)
        self._runner = runner

    async def _prepare(self) -> int:
        link = await self._link()
        try:
            server = await told(link)
            self._warnings = check_server(server, self._options)
            self._packet_bytes = server.packet_bytes - 1024
            return await prepare(link, self._flavour, self.namespace, self._buckets_wanted)
        finally:
            await link.close()

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

    async def _link(self) -> MySQLLink:
        connection = await connected(self._options)
        watch(connection._transport)
        flavour = flavour_of(connection.get_server_info())
        if flavour is not self._flavour:
            self._flavour, self._sql = flavour, statements(self.namespace, flavour)
        if self._runner is not None:
            self._runner.forget_names()
        return await set_up(connection, self._sql, flavour, self._options, self._packet_bytes)

    async def restrict(self, marker: Marker | None) -> None:
        link = await self._link()
        try:
            await portable.restrict(link, self.namespace, marker)
        finally:
            await link.close()

    # ---------------------------------------------------------------- guests

    async def learn(self, entries: Sequence[Entry]) -> None:
        """And the lanes: whoever wants the same new one would wait for the user's transaction."""
        if self._place is None:
            await self._run.write(name_place, int(SystemEntropy().token_hex(IDENTITY_BYTES), 16))
        await super().learn(entries)
        await self._run.write(lay, entries, self._laid)

    def _guest(self, guest: Guest) -> MySQLGuest:
        return link_of(guest, self._sql, self._options.where, self._packet_bytes)

    # ---------------------------------------------------------------- hints

    def listen(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        if self._runner is None:
            raise StoreUnavailable("the store is not open; open it first")
        unlisten, leave = super().listen(callback), self._wakeup.listen_here()

        def stop() -> None:
            unlisten()
            leave()

        return stop

    def _spread(self, hints: list[Hint]) -> None:
        if self._runner is not None:
            self._wakeup.send(hints)

    def _ear(self, hear: Callable[[str | None], None]) -> Ear:
        return Ear(self._link, self._tag, hear, self._options.call_seconds)

    async def _notify(self, parcels: list[str], own: list[int]) -> bool:
        """Put these texts where all ears find them, and wake those of other processes; whether there are any."""
        async with self._pools.here().link() as link:
            rows = [(self._tag, parcel[len(self._tag) :].encode()) for parcel in parcels]
            ears = [ear for ear in await link.many("wakeup_tell", rows, ()) if ear[0] and ear[0] not in own]
            for number in (number for number, sleeps in ears if sleeps):
                try:
                    await link.run("wakeup_end", [number])
                except StoreError as error:  # it woke by itself, or belongs to somebody else
                    if error.__cause__ is None or code_of(error.__cause__) not in NOBODY:
                        raise
        return bool(ears)

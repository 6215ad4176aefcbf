"""The history of a Redis store in another store: what is over is carried there before it is dropped here.

Carrying is repeated from wherever it was cut off: a record that is there already gives way to itself.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Final

import msgspec

from shike.clock import Clock
from shike.errors import BadInput, BadSetting, Conflict, StoreError
from shike.ids import SystemEntropy, session_number_of
from shike.model import Attempt, Ended, Live
from shike.outage import Outage
from shike.store.archiving import Carried
from shike.store.base import RunFilter
from shike.store.opening import open_store, without_secrets
from shike.store.portable import Portable, is_portable
from shike.store.records import RECORDS_VERSION, AttemptRecord, Kind, record_of_ended
from shike.store.redis.base import HOME, Base
from shike.store.redis.options import Accepted, Options
from shike.store.redis.records import number_of, read_ended, split_attempts
from shike.store.verbs import Retention

log = logging.getLogger("shike.store")

OWNER: Final = "archive/of"  # a control row of the archive: the life of the store whose history it keeps
PLACES_MAX: Final = 32  # addresses of one store: the nodes of a cluster, and other names of them


class Owner(msgspec.Struct, frozen=True):
    """Whose history it is."""

    life: str
    name: str = ""  # which archive it is: the store remembers it, too
    places: tuple[str, ...] = ()  # where the store was seen, the last PLACES_MAX

    def seen_at(self, here: frozenset[str]) -> Owner:
        """The same, found there."""
        new = sorted(here.difference(self.places))
        return msgspec.structs.replace(self, places=(*self.places, *new)[-PLACES_MAX:]) if new else self


class Archive:
    """Opened when it is first needed; an archive that does not answer is asked again the next time."""

    def __init__(self, options: Options, namespace: str, clock: Clock) -> None:
        assert options.history_url, "this store has no archive"
        self._url = options.history_url
        self._here = options.places
        self._takes_over = Accepted.ARCHIVE in options.accept
        self._namespace = namespace
        self._clock = clock
        self._lock = threading.Lock()
        self._store: Portable | None = None
        self._reading = Outage(log, "reading the archive")
        self._purging = Outage(log, "purging the archive")
        self.life = ""  # of the store whose history it keeps
        self.base: Base | None = None  # that store, once it is open

    @property
    def where(self) -> str:
        return without_secrets(self._url)

    async def store(self) -> Portable:
        """The open archive. Raises `StoreError` where it cannot be reached, `BadSetting` where it is another's."""
        if self._store is None:
            store = await self._open()
            try:
                await self._agree(await self._check(store))
            except BaseException:
                await store.close()
                raise
            with self._lock:
                mine, self._store = self._store is None, self._store or store
            if not mine:  # another event loop was faster
                await store.close()
        return self._store

    async def _open(self) -> Portable:
        store = open_store(self._url, namespace=self._namespace, clock=self._clock)
        if not is_portable(store) or self._url.startswith(("redis", "memory")):
            raise BadSetting(f"history_url={self.where}: an archive is a SQLite file, PostgreSQL or MariaDB")
        await store.open()
        return store  # type: ignore[return-value]  # looked at three lines above

    async def _check(self, store: Portable) -> str:
        """What the archive calls itself."""
        for row in await store.controls(OWNER):
            owner = msgspec.json.decode(row.value, type=Owner)
            if owner.life != self.life:
                raise BadSetting(
                    f"the archive {self.where} keeps the history of another store{_at(owner)}; name another file, "
                    "database or namespace for this one's (history_url)"
                )
            known = owner.seen_at(self._here)
            return owner.name if known == owner and owner.name else await self._made_owner(store, row.version, known)
        if await store.sessions(all=True, limit=1) or await store.runs(RunFilter(limit=1)):
            raise BadSetting(f"history_url={self.where} is a store in use; an archive is one of its own")
        return await self._made_owner(store, 0, Owner(self.life).seen_at(self._here))

    async def _made_owner(self, store: Portable, version: int, owner: Owner) -> str:
        name = owner.name or SystemEntropy().token_hex(8)
        try:
            await store.put(OWNER, msgspec.json.encode(msgspec.structs.replace(owner, name=name)), expect=version)
        except Conflict:  # another process was faster
            return await self._check(store)
        return name

    async def _agree(self, name: str) -> None:
        """One store has one archive, whatever else a process was told: half of a history in each is none."""
        if self.base is None:
            return
        if (await self.base.at(HOME, "carry", "name", name)).decode() != name:
            raise BadSetting(
                f"the history of this store is carried to another archive than {self.where}: name that one "
                "(history_url), or give it up first with an empty ?history_url= in the store's URL"
            )

    async def adopt(self, life: str) -> int:
        """The store is made anew: its archive, if it has one from a life before, is this life's from here on. The
        highest session number in there: run ids must not come twice. Raises `BadSetting` where the life before was at
        another place: it may go on there, and would archive no more."""
        self.life = life
        store = await self._open()
        try:
            for row in await store.controls(OWNER):
                before = msgspec.json.decode(row.value, type=Owner)
                if before.places and not self._here.intersection(before.places) and not self._takes_over:
                    raise BadSetting(
                        f"the archive {self.where} keeps the history of a store{_at(before)}, which this new one is "
                        "not: name another file, database or namespace for this one's (history_url); or, where that "
                        f"store is gone for good, take over its archive with ?accept={Accepted.ARCHIVE} in the URL"
                    )
                owner = Owner(life, before.name).seen_at(self._here)
                await store.put(OWNER, msgspec.json.encode(owner), expect=row.version)
            newest = await store.runs(RunFilter(limit=1))
            return session_number_of(newest[0].run.id) if newest else 0
        finally:
            await store.close()

    async def close(self) -> None:
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            await store.close()

    def forget(self) -> None:
        """In a forked child: the parent may have held the lock."""
        self._lock = threading.Lock()

    # ---------------------------------------------------------------- carrying

    async def carry(self, base: Base, buckets: Sequence[int], limit: int) -> int:
        """Take the next records of each bucket, at most so many of each; how many. Whoever is cut off, or is not alone,
        does harm to nobody."""
        store, count = await self.store(), 0
        for bucket in buckets:
            ids, records, attempts = await base.at(bucket, "carry", "read", limit)
            if not ids:
                continue
            rows = [
                record_of_ended(read_ended(number_of(run_id), record))
                for run_id, record in zip(ids, records or [None] * len(ids), strict=True)
                if record is not None
            ]
            await store.load(Kind.ENDED, rows)
            await store.load(Kind.ATTEMPTS, _attempts(ids, attempts or [None] * len(ids)))
            count += await base.at(bucket, "carry", "done", ids[0], len(ids))
        return count

    async def look(self, base: Base) -> Carried:
        """How far it is, and what is wrong."""
        parts = await asyncio.gather(*[base.at(bucket, "carry", "look") for bucket in base.every])
        since = [int(first) for _, first, _ in parts if int(first)]
        wrong = ""
        try:
            await (await self.store()).now()
        except (StoreError, BadSetting) as error:
            wrong = str(error)
        return Carried(
            where=self.where,
            left=sum(left for left, _, _ in parts),
            since=min(since, default=0),
            lost=sum(lost for _, _, lost in parts),
            wrong=wrong,
        )

    # ---------------------------------------------------------------- what was carried

    async def find(self, run_id: int) -> Ended | None:
        return await (await self.store()).ended(run_id)

    async def outcomes(self, run_ids: Sequence[int]) -> dict[int, Ended]:
        return await (await self.store()).outcomes(run_ids)

    async def attempts(self, run_id: int) -> list[Attempt]:
        return await (await self.store()).attempts(run_id)

    async def decisions(self, run_id: int) -> list[Attempt]:
        return await (await self.store()).decisions(run_id)

    async def with_older(self, found: list[Live | Ended], wanted: RunFilter) -> list[Live | Ended]:
        """A list of runs, and what the archive has. Where it does not answer, the list is what there is, and the log
        says so."""
        try:
            older = await (await self.store()).runs(wanted)
        except (StoreError, BadSetting) as error:
            self._reading.pause(error)
            return found
        self._reading.over()
        known = {row.run.id for row in found}
        found = found + [row for row in older if row.run.id not in known]
        return sorted(found, key=lambda row: row.run.id, reverse=True)[: wanted.limit]

    async def purge(self, keep: Retention) -> int:
        """Retention holds there, too. Work goes on where it does not answer."""
        try:
            count = await (await self.store()).purge(keep)
        except (StoreError, BadSetting) as error:
            self._purging.pause(error)
            return 0
        self._purging.over()
        return count


async def begin_or_end(base: Base, *, begins: bool) -> None:
    """From here on nothing leaves the history that is not in the archive; or there is none any more."""
    await base.everywhere(base.every, "carry", ("begin" if begins else "end",))


async def refuse_half(base: Base) -> None:
    """Who reads everything must know of the archive, too. Raises `BadInput`."""
    if await base.at(HOME, "peek", "EXISTS", ":archived"):
        raise BadInput(
            "this store's older history is in an archive: name it (history_url in the settings or in the URL), so that "
            "it comes along; or say that it is given up, with an empty ?history_url= in the URL"
        )


def _at(owner: Owner) -> str:
    return f" (on {', '.join(owner.places)})" if owner.places else ""


def _attempts(ids: Sequence[bytes], attempts: Sequence[bytes | None]) -> list[AttemptRecord]:
    return [
        AttemptRecord(RECORDS_VERSION, number_of(run_id), token, body)
        for run_id, rows in zip(ids, attempts, strict=True)
        for token, body in split_attempts(rows or b"")
    ]

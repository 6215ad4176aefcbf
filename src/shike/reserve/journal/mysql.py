"""The journal on MySQL or MariaDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from asyncmy.errors import IntegrityError, MySQLError

from shike.reserve.journal.base import Frame
from shike.reserve.journal.memory import fenced
from shike.reserve.journal.relational import INSERT, RelationalJournal
from shike.reserve.mysql_link import MySQLLink
from shike.store.mysql.faults import BROKEN, translated

TABLES: Final = (
    "create table if not exists {ns}_frames (ledger varchar(200) character set utf8mb4 collate {exact} not null,"
    " version bigint not null, count int not null, checksum bigint not null, body longblob not null,"
    " primary key (ledger, version)) engine = InnoDB",
    "create table if not exists {ns}_kept (ledger varchar(200) character set utf8mb4 collate {exact} not null"
    " primary key, version bigint not null, checksum bigint not null, sum bigint not null, data longblob not null)"
    " engine = InnoDB",
)
END: Final = "select version + count from {ns}_frames where ledger = {0} order by version desc limit 1"


class MySQLJournal(RelationalJournal, MySQLLink):
    """As durable as the server; one that is set to lose data is refused, unless the URL accepts it (P8)."""

    tables = TABLES
    keep_sql = (
        "insert into {ns}_kept (ledger, version, checksum, sum, data) values ({0}, {1}, {2}, {3}, {4})"
        " on duplicate key update checksum = if(values(version) >= version, values(checksum), checksum),"
        " sum = if(values(version) >= version, values(sum), sum),"
        " data = if(values(version) >= version, values(data), data), version = greatest(version, values(version))"
    )

    async def _insert(self, frames: Sequence[Frame]) -> None:
        try:
            await self._connection.begin()
            async with self._connection.cursor() as cursor:
                for frame in frames:
                    await cursor.execute(self._sql(END), (frame.ledger,))
                    end = await cursor.fetchone()
                    if frame.version != (end[0] if end else 0):
                        raise fenced(frame.ledger, frame.version)
                    words = (frame.ledger, frame.version, frame.count, frame.checksum, frame.body)
                    await cursor.execute(self._sql(INSERT), words)
            await self._connection.commit()
        except IntegrityError as error:
            raise fenced(frames[0].ledger, frames[0].version) from error
        except (MySQLError, *BROKEN) as error:
            raise translated(error, self.where) from error

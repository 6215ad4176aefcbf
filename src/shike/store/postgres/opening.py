"""Opening the database: may it be trusted, is it ours, can this program read it, and which steps are missing."""

from __future__ import annotations

import asyncpg

from shike.errors import BadSetting, ForeignStore, StoreError, UnsafeStore
from shike.store.postgres.options import LOSSES, Options
from shike.store.relational.statements import filled, migrations

FORMAT = 1  # grows when an older program would misread the tables; a mere addition is a further step
FACTS = frozenset({"format", "step", "virtual_buckets"})
VERSION_MIN = 130000


async def check_server(connection: asyncpg.Connection, sql: dict[str, str], options: Options) -> list[str]:
    """Refuse a server that cannot keep what it is given; what of that was accepted by name, in words."""
    facts: dict[str, str] = dict(await connection.fetch(sql["settings"]))
    where = options.where
    if int(facts["server_version_num"]) < VERSION_MIN:
        raise StoreError(f"{where} is PostgreSQL {connection.get_server_version().major}; Shike needs 13 or newer")
    if facts["in_recovery"] == "true" or facts["transaction_read_only"] == "on":
        raise StoreError(f"{where} takes no writes: it is a replica or set read-only; name the primary server")
    if facts["server_encoding"] != "UTF8":
        raise StoreError(f"{where} is encoded in {facts['server_encoding']}; Shike needs a database in UTF8")
    found = {}
    if facts["fsync"] == "off" or facts["full_page_writes"] == "off":
        found["fsync-off"] = "set fsync and full_page_writes to on in postgresql.conf"
    if facts["synchronous_commit"] == "off":
        found["synchronous-commit-off"] = f"alter role … set synchronous_commit = on ({where})"
    for word, remedy in found.items():
        if word not in options.accept:
            raise UnsafeStore(
                f"{where} is set to lose data ({word}): {LOSSES[word]}. Set it right ({remedy}), or accept the loss "
                f"with ?accept={','.join(sorted({*options.accept, word}))} in the URL",
                accept=word,
            )
    return [f"{word}: {LOSSES[word]}" for word in found]


async def prepare(
    connection: asyncpg.Connection, sql: dict[str, str], namespace: str, virtual_buckets: int | None
) -> int:
    """Bring the layout up to date; the number of virtual buckets.

    Each step is one transaction under one lock, so that a process killed in between leaves a layout that the next one
    completes, and two that open at once do not meet. Raises `ForeignStore` for a newer format or tables of another
    program, `BadSetting` for other virtual buckets.
    """
    has_meta, has_tables = (await connection.fetch(sql["meta_exists"]))[0]
    if has_meta and (facts := await _read(connection, sql))["step"] >= migrations("shike.store.postgres")[-1][0]:
        return _judge(facts, virtual_buckets)  # nothing is missing: no lock, no write
    if has_tables and not has_meta:
        raise ForeignStore(
            f"the schema has a table {namespace}_run, but not the table {namespace}_meta of a store: it belongs to "
            "another program. Give the store another namespace, or another schema with search_path="
        )
    buckets = await _make(connection, sql, virtual_buckets)
    for number, script in migrations("shike.store.postgres"):
        await _step(connection, sql, number, filled(script, {"ns": namespace}), buckets)
    return buckets


async def _read(connection: asyncpg.Connection, sql: dict[str, str]) -> dict[str, int]:
    facts: dict[str, int] = dict(await connection.fetch(sql["meta_read"]))
    if not facts.keys() >= FACTS:
        raise ForeignStore("the table of this store's own facts is damaged; restore a copy or name another database")
    return facts


def _judge(facts: dict[str, int], virtual_buckets: int | None) -> int:
    if facts["format"] > FORMAT:
        raise ForeignStore(
            f"this store has format {facts['format']}, this program reads up to {FORMAT}: upgrade shike to use it"
        )
    kept = facts["virtual_buckets"]
    if virtual_buckets not in (None, kept):
        raise BadSetting(f"this store was made with virtual_buckets={kept}, which cannot change to {virtual_buckets}")
    return kept


async def _make(connection: asyncpg.Connection, sql: dict[str, str], virtual_buckets: int | None) -> int:
    """The `meta` table: its facts are fixed when the store is made."""
    async with connection.transaction():
        await connection.execute(sql["opening_lock"])
        await connection.execute(sql["meta_make"])
        if not await connection.fetch(sql["meta_read"]):
            for key, value in (("format", FORMAT), ("step", 0), ("virtual_buckets", virtual_buckets or 1)):
                await connection.execute(sql["meta_write"], key, value)
        return _judge(await _read(connection, sql), virtual_buckets)


async def _step(connection: asyncpg.Connection, sql: dict[str, str], number: int, script: str, buckets: int) -> None:
    async with connection.transaction():
        await connection.execute(sql["opening_lock"])
        if (await _read(connection, sql))["step"] < number:
            try:
                await connection.execute(script)
            except asyncpg.DuplicateTableError as error:
                raise ForeignStore(
                    f"something else in the schema has a name that this store needs ({error}): give the store another "
                    "namespace, or another schema with search_path="
                ) from None
            await connection.execute(sql["bucket_first"], buckets - 1)
            await connection.execute(sql["meta_write"], "step", number)

"""Opening the database: may it be trusted, is it ours, can this program read it, and which steps are missing."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from shike.errors import BadSetting, ForeignStore, StoreError, StoreUnavailable, UnsafeStore
from shike.store.mysql.link import MySQLLink
from shike.store.mysql.options import LOSSES, Options
from shike.store.mysql.texts import MARIADB, MYSQL, Flavour
from shike.store.relational.statements import filled, migrations

FORMAT = 1  # grows when an older program would misread the tables; a mere addition is a further step
FACTS = frozenset({"format", "step", "virtual_buckets"})
VERSIONS = {MARIADB: (10, 6, 0), MYSQL: (8, 0, 19)}  # `skip locked`; and rows of values as a table
LOCK_SECONDS = 60  # while another process makes the layout
PACKET_BYTES_MIN = 1 << 20
UNFORCED = frozenset({"nosync", "littlesync"})  # values of innodb_flush_method that are there to be measured with
FORCED_SINCE = (11, 0, 0)  # MariaDB takes them for `fsync`

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Server:
    """What the server says of itself."""

    version: str
    flush_log: int
    doublewrite: str
    log_bin: bool
    sync_binlog: int
    binlog_format: str
    read_only: str
    packet_bytes: int
    database: str
    flush_method: str = ""  # "": the server knows none

    @property
    def flavour(self) -> Flavour:
        return flavour_of(self.version)


def flavour_of(version: str) -> Flavour:
    return MARIADB if "mariadb" in version.lower() else MYSQL


def check_server(server: Server, options: Options) -> list[str]:
    """Refuse a server that cannot keep what it is given; what of that was accepted by name, and what else a person
    should know, in words."""
    where = options.where
    least = VERSIONS[server.flavour]
    if _version(server) < least:
        needed = ".".join(map(str, least))
        raise StoreError(f"{where} is {server.version}; Shike needs {server.flavour.name} {needed} or newer")
    if str(server.read_only).upper() not in ("0", "OFF"):
        raise StoreError(f"{where} takes no writes: it is a replica or set read_only; name the primary server")
    if server.log_bin and server.binlog_format.upper() == "STATEMENT":
        raise StoreError(f"{where} logs statements, which READ COMMITTED forbids; set binlog_format to MIXED or ROW")
    if server.packet_bytes < PACKET_BYTES_MIN:
        raise StoreError(f"{where} takes {server.packet_bytes} bytes at once; set max_allowed_packet to 16M or more")
    lossy = _lossy(server)
    for word, remedy in lossy.items():
        if word not in options.accept:
            raise UnsafeStore(
                f"{where} is set to lose data ({word}): {LOSSES[word]}. Set it right ({remedy}), or accept the loss "
                f"with ?accept={','.join(sorted({*options.accept, word}))} in the URL",
                accept=word,
            )
    warnings = [f"{word}: {LOSSES[word]}" for word in lossy]
    if server.flavour is MYSQL:
        warnings.append(f"unverified: Shike is tested with MariaDB, not with MySQL {server.version}")
    return warnings


def _lossy(server: Server) -> dict[str, str]:
    """How the server is set to lose data, and how to set it right."""
    found = {}
    if int(server.flush_log) not in (1, 3):  # 3: as 1, and flushed once more
        found["flush-log"] = f"innodb_flush_log_at_trx_commit is {server.flush_log}: set it to 1"
    if server.log_bin and int(server.sync_binlog) != 1:
        found["sync-binlog"] = f"sync_binlog is {server.sync_binlog}: set it to 1, or the binary log off"
    if str(server.doublewrite).upper() in ("0", "OFF", "DETECT_ONLY"):
        found["doublewrite-off"] = "set innodb_doublewrite to ON"
    if server.flush_method.lower() in UNFORCED and not (server.flavour is MARIADB and _version(server) >= FORCED_SINCE):
        found["nosync"] = f"innodb_flush_method is {server.flush_method}: set it to O_DIRECT or fsync"
    return found


def _version(server: Server) -> tuple[int, ...]:
    found = _VERSION.search(server.version)
    return tuple(map(int, found.groups())) if found is not None else ()


async def told(link: MySQLLink) -> Server:
    """What the server at the other end says of itself."""
    (facts,) = await link.rows("settings", [])
    methods = await link.rows("flush_method", [])
    return replace(Server(*facts), flush_method=str(methods[0][1]) if methods else "")


async def prepare(link: MySQLLink, flavour: Flavour, namespace: str, virtual_buckets: int | None) -> int:
    """Bring the layout up to date; the number of virtual buckets.

    The server commits every statement of layout at once. So each may be repeated, they run under one lock, and a step
    is noted when it is whole: a process killed anywhere in between leaves a layout that the next one completes.
    Raises `ForeignStore` for a newer format or tables of another program, `BadSetting` for other virtual buckets.
    """
    steps = migrations("shike.store.mysql")
    tables = {name for (name,) in await link.rows("tables", [])}
    has_meta = f"{namespace}_meta" in tables
    if has_meta and (facts := await _read(link)) and facts["step"] >= steps[-1][0]:
        return _judge(facts, virtual_buckets)  # nothing is missing: no lock, no write
    if tables and not has_meta:
        raise ForeignStore(
            f"the database has a table {namespace}_run, but not the table {namespace}_meta of a store: it belongs to "
            "another program. Give the store another namespace, or another database"
        )
    if not (await link.rows("opening_lock", [LOCK_SECONDS]))[0][0]:
        raise StoreUnavailable(f"another process is making the tables for {LOCK_SECONDS} s already; try again")
    try:
        return await _make(link, flavour, namespace, steps, virtual_buckets)
    finally:
        await link.rows("opening_unlock", [])


async def _make(
    link: MySQLLink, flavour: Flavour, namespace: str, steps: list[tuple[int, str]], virtual_buckets: int | None
) -> int:
    await link.run("meta_make", [])
    if not await _read(link):
        await link.run("meta_begin", [FORMAT, virtual_buckets or 1])
    facts = await _read(link)
    buckets = _judge(facts, virtual_buckets)
    for number, script in steps:
        if facts["step"] < number:
            for statement in pieces(filled(script, {"ns": namespace} | flavour.words)):
                await link.execute(statement)
            await link.run("bucket_first", [buckets - 1])
            await link.run("meta_step", [number])
    return buckets


def pieces(script: str) -> list[str]:
    """The statements of a script, one by one."""
    bare = re.sub(r"--.*$", "", script, flags=re.MULTILINE)
    return [piece.strip() for piece in bare.split(";\n") if piece.strip()]


async def _read(link: MySQLLink) -> dict[str, int]:
    """The store's facts; nothing where a process was killed before it wrote them."""
    facts = {str(key): int(value) for key, value in await link.rows("meta_read", [])}
    if facts and not facts.keys() >= FACTS:
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

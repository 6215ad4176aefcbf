"""Opening the file: is it ours, can this program read it, and which steps of the layout are missing.

A namespace's `meta` table says which format it has; `user_version` is left alone, for the file may be the user's own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from shike.counted import counted
from shike.errors import BadSetting, ForeignStore, StoreError
from shike.store.sqlite.options import Options
from shike.store.sqlite.statements import Statements, migrations

Begin = Callable[[sqlite3.Connection], None]

FORMAT = 1  # grows when an older program would misread the tables; a mere addition is a further step
FACTS = {"format", "step", "virtual_buckets"}
APPLICATION_ID = 0x53686B65  # "Shke"
SQLITE_MIN = (3, 35, 0)  # RETURNING
SMALLEST_BYTES = 512  # of a database: one page of the smallest size
STATEMENTS_KEPT = 512
CACHE_KIB = 4 * 1024  # of hot pages in each connection: lanes are read and written at their ends only
TOKENS_PER_OPENING = 1 << 20  # more than a power loss can take back: claims between two commits that are forced
CHECKPOINT_PAGES = 4_000  # 16 MiB of log between two copies into the file


def connect(options: Options, *, read_only: bool = False, waits: bool = True) -> sqlite3.Connection:
    """One connection that belongs to the thread that uses it. Raises `sqlite3.Error` where the file cannot be used.

    Without `waits` a transaction that another process keeps out fails at once: the turnstile waits, in shorter steps.
    """
    if sqlite3.sqlite_version_info < SQLITE_MIN:
        raise StoreError(f"Shike needs SQLite 3.35 or newer; this Python has {sqlite3.sqlite_version}")
    _check_size(options.path)
    connection = sqlite3.connect(
        options.path,
        timeout=options.busy_seconds,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS_KEPT,
    )
    try:
        _prepare(connection, options, read_only=read_only)
        if not waits:
            connection.execute("pragma busy_timeout = 0")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_size(path: Path) -> None:
    """SQLite takes a file shorter than its header for an empty one and writes over it. Looking inside is no way out:
    closing a file of our own would drop the locks that SQLite holds on it for this process."""
    size = path.stat().st_size if path.is_file() else 0
    if 0 < size < SMALLEST_BYTES:
        raise ForeignStore(f"{path} is no SQLite database (it has {counted(size, 'byte')}); name another file")


def _prepare(connection: sqlite3.Connection, options: Options, *, read_only: bool) -> None:
    connection.execute("pragma schema_version").fetchone()  # reads the header: NOTADB shows here
    if read_only:
        connection.execute("pragma query_only = on")
    connection.execute(f"pragma synchronous = {options.synchronous.value}")
    connection.execute(f"pragma cache_size = -{CACHE_KIB}")
    connection.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES}")


class SameFile:
    """Whether a path still leads to the file that was opened there. SQLite would go on writing to one that was deleted
    or replaced, and all of it would be lost with the last process that has it open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._was = self._is()

    def check(self) -> None:
        """Raises `ForeignStore`. Costs one `stat`."""
        if self._is() != self._was:
            raise ForeignStore(
                f"{self._path} was deleted or replaced while it was open; nothing was written: put it back, or "
                "start anew"
            )

    def _is(self) -> tuple[int, int] | None:
        try:
            seen = self._path.stat()
        except FileNotFoundError:
            return None
        return seen.st_dev, seen.st_ino


def claim_file(connection: sqlite3.Connection, options: Options, sql: Statements) -> None:
    """Check that the file is ours, or make it so. Raises `ForeignStore` for another program's."""
    _check_owner(connection, options, sql.namespace)
    connection.execute("pragma journal_mode = wal")


def prepare(connection: sqlite3.Connection, sql: Statements, virtual_buckets: int | None, begin: Begin) -> int:
    """Bring the layout of our file up to date; the number of virtual buckets.

    Each step is one transaction, so that a process killed in between leaves a layout that the next one completes.
    `begin` begins them: in turn with other processes, else whoever is to join a busy store would wait for ever.
    Raises `ForeignStore` for a newer format, `BadSetting` for other virtual buckets.
    """
    buckets = _make(connection, sql, virtual_buckets, begin)
    for number, script in migrations():
        _step(connection, sql, number, script.replace("{ns}", sql.namespace), begin)
    with _transaction(connection, begin):
        connection.execute(sql.plain("bucket_first"), (buckets - 1,))
        connection.execute(sql.plain("token_first"))
        connection.execute(sql.plain("token_skip"), (TOKENS_PER_OPENING,))
    return buckets


def _check_owner(connection: sqlite3.Connection, options: Options, namespace: str) -> None:
    application = connection.execute("pragma application_id").fetchone()[0]
    tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    if application == APPLICATION_ID or f"{namespace}_meta" in tables:
        return
    if not tables and application == 0:
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
    elif not options.shared:
        seen = ", ".join(sorted(tables)[:5]) or f"application id {application:#x}"
        raise ForeignStore(
            f"{options.path} belongs to another program ({seen}); name another file, "
            "or add ?shared=yes to the URL to keep Shike's tables beside them"
        )


def _make(connection: sqlite3.Connection, sql: Statements, virtual_buckets: int | None, begin: Begin) -> int:
    """The `meta` table: its facts are fixed when the store is made."""
    with _transaction(connection, begin):
        connection.execute(sql.plain("meta_make"))
        facts = dict(connection.execute(sql.plain("meta_read")).fetchall())
        if not facts:
            facts = {"format": FORMAT, "step": 0, "virtual_buckets": virtual_buckets or 1}
            connection.executemany(sql.plain("meta_write"), facts.items())
    if not facts.keys() >= FACTS:
        raise ForeignStore("the table of this store's own facts is damaged; restore a copy or name another file")
    if facts["format"] > FORMAT:
        raise ForeignStore(
            f"this store has format {facts['format']}, this program reads up to {FORMAT}: upgrade shike to use it"
        )
    kept = int(facts["virtual_buckets"])
    if virtual_buckets not in (None, kept):
        raise BadSetting(f"this store was made with virtual_buckets={kept}, which cannot change to {virtual_buckets}")
    return kept


def _step(connection: sqlite3.Connection, sql: Statements, number: int, script: str, begin: Begin) -> None:
    with _transaction(connection, begin):
        facts = dict(connection.execute(sql.plain("meta_read")).fetchall())
        if facts["step"] < number:
            for statement in _split(script):
                connection.execute(statement)
            connection.execute(sql.plain("meta_write"), ("step", number))


def _split(script: str) -> Iterator[str]:
    """The single statements of a script; a whole script run at once would commit the transaction it is in."""
    lines: list[str] = []
    for line in script.splitlines():
        lines.append(line)
        if sqlite3.complete_statement("\n".join(lines)):
            yield "\n".join(lines)
            lines.clear()


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: Begin) -> Iterator[None]:
    begin(connection)
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def check(path: Path) -> list[str]:
    """What SQLite finds wrong with the file, for `shike doctor`; empty: nothing."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            found = [text for (text,) in connection.execute("pragma integrity_check")]
    except sqlite3.DatabaseError as error:  # so damaged that it cannot even be looked through
        return [str(error)]
    return [] if found == ["ok"] else found

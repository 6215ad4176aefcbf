"""From the URL of an application's database to its outbox; drivers load on use."""

from __future__ import annotations

from shike.errors import BadStoreURL
from shike.outbox.table import Table
from shike.store.guests import dialect_of
from shike.store.opening import driver_missing, unreadable

KNOWN = "sqlite:///app.db, postgresql://user@host/database or mysql://user@host/database"


def open_table(url: str, namespace: str) -> Table:
    """Not connected yet. Raises `BadStoreURL` for a URL that names no such database or one whose driver is missing,
    `BadSetting` for an option that cannot be used."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        raise BadStoreURL(f"{unreadable(url)!r} is no URL of a database; write {KNOWN}")
    if "+" in scheme:
        raise BadStoreURL(f"{scheme}:// names a driver, which Shike chooses itself; write {KNOWN}")
    dialect = dialect_of(url)
    try:
        if dialect == "sqlite":
            from shike.outbox.sqlite import SQLiteTable

            return SQLiteTable(url, namespace)
        if dialect == "postgres":
            from shike.outbox.postgres import PostgresTable

            return PostgresTable(url, namespace)
        if dialect == "mysql":
            from shike.outbox.mysql import MySQLTable

            return MySQLTable(url, namespace)
    except ImportError as error:
        raise driver_missing(scheme, dialect, error) from error
    raise BadStoreURL(f"an outbox cannot lie in {scheme}://; it needs {KNOWN}")


def layout(url: str, namespace: str) -> str:
    """The numbered files as SQL, for whoever makes tables by other means. Connects to nothing."""
    name = open_table(url, namespace).name
    dialect = dialect_of(url)
    if dialect == "sqlite":
        from shike.outbox.sqlite.table import steps as of_sqlite

        made = of_sqlite(name)
    elif dialect == "postgres":
        from shike.outbox.postgres.table import steps as of_postgres

        made = of_postgres(name)
    else:
        from shike.outbox.mysql.table import steps as of_mysql
        from shike.store.mysql.texts import MARIADB

        made = of_mysql(name, MARIADB)
    done = f"update {name}_relay set step = {made[-1][0]};\n"  # noqa: S608  # a checked name and a number
    return "\n".join(script for _, script in made) + done

"""Which database a user's own connection leads to, and by which driver: told by the names of its types.

No driver is loaded to find that out: whoever has a connection of one has loaded it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from shike.errors import BadInput

DIALECTS: Final = {  # the driver's package -> what it speaks
    "sqlite3": "sqlite",
    "aiosqlite": "sqlite",
    "asyncpg": "postgres",
    "psycopg": "postgres",
    "pymysql": "mysql",
    "asyncmy": "mysql",
}
KNOWN: Final = (
    "a connection of sqlite3, aiosqlite, asyncpg, psycopg, PyMySQL or asyncmy, a Connection or Session of SQLAlchemy "
    "(sync or async), or django.db.connection"
)
REFUSED: Final = {  # the driver's package -> what to do instead
    "psycopg2": (
        "psycopg 2 is not served: use psycopg 3 (pip install 'psycopg[binary]>=3.2'), under SQLAlchemy as "
        "postgresql+psycopg://…; Django takes it where it is installed"
    ),
    "MySQLdb": (
        "mysqlclient is not served: use PyMySQL, under SQLAlchemy as mysql+pymysql://…, under Django by "
        "pymysql.install_as_MySQLdb() in settings.py"
    ),
}
_ASYNC_DRIVERS: Final = frozenset({"aiosqlite", "asyncpg", "asyncmy"})
_SESSIONS: Final = frozenset({"Session", "AsyncSession", "scoped_session", "async_scoped_session"})
_CONNECTIONS: Final = frozenset({"Connection", "AsyncConnection"})


class Guest(NamedTuple):
    """A driver's connection with the caller's transaction on it."""

    driver: str  # the package of the driver
    raw: Any
    is_async: bool

    @property
    def dialect(self) -> str:
        return DIALECTS[self.driver]


def dialect_of(url: str) -> str:
    """What a store URL speaks, in the words of `DIALECTS`."""
    kind = url.partition("://")[0].partition("+")[0]
    return {"postgresql": "postgres", "mariadb": "mysql"}.get(kind, kind)


def is_async(connection: object) -> bool:
    """Whether what this connection does has to be awaited. Raises `BadInput` for what is no connection we know."""
    package, names = _kind(connection)
    return package in _ASYNC_DRIVERS or any(name.lower().startswith("async") for name in names)


async def reach(connection: Any) -> Guest:
    """The driver's connection behind what the caller gave. Gives way to the event loop only where `is_async`.

    Raises `BadInput` for what is no connection we know, and where no transaction is open on it.
    """
    package, names = _kind(connection)
    if package == "sqlalchemy":
        return await _of_sqlalchemy(connection, names)
    if package == "django":
        return _of_django(connection)
    return Guest(package, connection, is_async(connection))


def no_transaction() -> BadInput:
    """What to say where each statement would be a transaction of its own."""
    return BadInput("no transaction is open on this connection; begin one, so that your rows and the run share it")


def aborted(why: object) -> BadInput:
    """What to say where the caller's transaction can do nothing but end."""
    return BadInput(f"the transaction on this connection was aborted by an earlier error ({why}); roll it back first")


def _kind(connection: object) -> tuple[str, frozenset[str]]:
    """The package that a connection's type, or the nearest known of its bases, comes from; and the names of all."""
    types = type(connection).__mro__
    for known in types:
        package = known.__module__.partition(".")[0]
        if package in DIALECTS or package in ("sqlalchemy", "django"):
            return package, frozenset(each.__name__ for each in types)
        if package in REFUSED:
            raise BadInput(REFUSED[package])
    raise BadInput(f"{connection!r:.80} is no connection that Shike can store runs on; give {KNOWN}")


async def _of_sqlalchemy(given: Any, names: frozenset[str]) -> Guest:
    """What the first statement would do is done by one of its own: a transaction begins, for SQLAlchemy and for the
    driver."""
    waits = is_async(given)
    if names & _SESSIONS:
        given = await given.connection() if waits else given.connection()
    elif not names & _CONNECTIONS:
        raise BadInput(f"{given!r:.80} has no transaction; of SQLAlchemy, give a Session or a Connection")
    if waits:
        await given.exec_driver_sql("select 1")
        raw = (await given.get_raw_connection()).driver_connection
    else:
        given.exec_driver_sql("select 1")
        raw = given.connection.driver_connection
    found = Guest(_kind(raw)[0], raw, is_async(raw))
    if found.is_async and not waits:
        raise BadInput("this Connection is the sync side of an async one; give the AsyncSession or AsyncConnection")
    return found


def _of_django(given: Any) -> Guest:
    if not hasattr(given, "ensure_connection"):
        raise BadInput(f"{given!r:.80} is no connection; give django.db.connection, or connections[…] of it")
    given.validate_thread_sharing()
    given.ensure_connection()
    if given.needs_rollback:
        raise aborted("Django has marked this atomic block to be rolled back")
    if given.get_autocommit() and not given.in_atomic_block:
        raise no_transaction()
    return Guest(_kind(given.connection)[0], given.connection, False)

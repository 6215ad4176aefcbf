"""What PostgreSQL's error codes, and a connection that breaks, mean to a caller."""

from __future__ import annotations

import asyncpg

from shike.errors import BadInput, BadStoreURL, ForeignStore, StoreError, StoreFull, StoreUnavailable
from shike.store.portable import refusal_of
from shike.store.relational.link import Again, NoDay, Taken

TAKEN_BACK = frozenset({"40001", "40P01", "55P03"})  # serialization, deadlock, a lock that did not come in time
UNEXPECTED = "22012"  # division by zero: how `leases_end` gives up where a lease is not as expected
FULL = frozenset({"53100", "54000"})
RIGHTS = frozenset({"42501", "28000", "28P01"})
MOVING = "SHK01"  # raised by our own triggers (`portable.sql`)
MISSING = frozenset({"42P01", "42703", "42883"})  # a table, a column, a function

BROKEN = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError, EOFError)


def translated(error: BaseException, where: str) -> Exception:
    """The error of ours that says what happened, and what to do next."""
    if isinstance(error, asyncpg.PostgresError):
        ours = explained(error, where)
    else:
        words = str(error) or type(error).__name__
        ours = StoreUnavailable(f"{where} did not answer ({words}); whether it did what was asked is not known: repeat")
    ours.__cause__ = error
    return ours


def explained(error: Exception, where: str) -> Exception:
    """The error of ours for what the server said, by whichever driver: each tells its `sqlstate`."""
    code: str = getattr(error, "sqlstate", None) or ""
    if code == MOVING:
        return refusal_of(str(error))
    if code == "23505":
        return Taken(str(error))
    if code in TAKEN_BACK or code == UNEXPECTED:
        return Again(str(error))
    if code == "23514" and not getattr(error, "constraint_name", None):  # no check; the words may be of any language
        return NoDay(str(error))
    if code in FULL:
        return StoreFull(f"{where}: the disk or a limit is full ({error}); nothing was written: make room and repeat")
    if code.startswith("22"):
        return BadInput(f"PostgreSQL cannot hold this: {error}")
    if code in RIGHTS:
        return StoreError(f"{where}: {error}; grant this user what it needs on the schema and its tables")
    if code == "3F000":
        return StoreError(
            f"{where}: the schema is not there, or this user may not use it ({error}); create it, or grant usage and "
            "create on it"
        )
    if code in MISSING:
        return ForeignStore(
            f"{where} does not have the tables this program expects, or hides them from this user ({error}); look at "
            "the rights on the schema; where the whole store is gone, start anew: that makes an empty one"
        )
    if code == "25006":
        return StoreUnavailable(f"{where} takes no writes now ({error}): it is a replica, or was set so. Repeat later")
    return StoreUnavailable(f"{where}: {error}; the call may be repeated")


def unreachable(error: Exception, where: str) -> Exception:
    """What went wrong with a connection that was not made, and what to do next."""
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return StoreError(f"{where}: {error}; create it first, or name another database")
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return StoreError(f"{where}: {error}; look at the user and the password in the URL, and at pg_hba.conf")
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return StoreUnavailable(
            f"{where}: {error}; give each process fewer (?connections= in the URL), raise max_connections on the "
            "server, or put pgbouncer between"
        )
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return StoreUnavailable(f"{where} does not answer ({error}); is the server running, and the URL right?")
    if isinstance(error, ValueError) and not isinstance(error, StoreError):
        return BadStoreURL(f"{where}: {error}")
    return translated(error, where)

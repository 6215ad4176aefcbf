"""What SQLite's error codes mean to a caller."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from shike.errors import ForeignStore, ShikeError, StoreError, StoreFull, StoreUnavailable
from shike.store.portable import refusal_of

UNREADABLE = (UnicodeDecodeError, msgspec.DecodeError)  # a damaged page, or a row of another program
_PRIMARY = 0xFF  # the low byte of an extended code


def explain(error: sqlite3.Error, path: Path) -> StoreError:
    """The error of ours that says what happened to the file, and what to do next."""
    extended = getattr(error, "sqlite_errorcode", None) or 0
    code = extended & _PRIMARY
    if extended == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
        return refusal_of(str(error))
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(
            f"{path}: the disk is full ({error}); nothing of this call was written. Make room and repeat it"
        )
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return ForeignStore(
            f"{path} is no SQLite database or is damaged ({error}); restore a copy or name another file"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreUnavailable(f"{path}: another program keeps the database locked ({error}); repeat the call")
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreUnavailable(f"{path} cannot be opened ({error}); does its directory exist, and may we write there?")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return StoreUnavailable(f"{path} may not be written ({error}); change its owner or name another file")
    if code == sqlite3.SQLITE_ERROR and not isinstance(error, sqlite3.ProgrammingError):
        return ForeignStore(f"{path} does not have the tables this program expects ({error}); name another file")
    return StoreUnavailable(f"{path}: {error}; the call may be repeated")


def translated(error: Exception, path: Path) -> Exception:
    """`error` as a caller should see it: ours as it is, SQLite's explained."""
    if isinstance(error, UNREADABLE):
        ours: StoreError = ForeignStore(f"{path} holds what this program cannot read ({error}); see `shike doctor`")
    elif isinstance(error, ShikeError) or not isinstance(error, sqlite3.Error):
        return error
    else:
        ours = explain(error, path)
    ours.__cause__ = error
    return ours

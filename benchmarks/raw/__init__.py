"""What the servers themselves can do, with no scheduler around: the leanest durable layout that research found.

Pending rows in the order of (due, id); a claim moves a batch into one lease; an acknowledgement turns the lease into
one row of history. One connection, one step after the other; the payload is PAYLOAD.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.raw.base import PAYLOAD, RawStore
from benchmarks.raw.mariadb import RawMariaDB
from benchmarks.raw.postgres import RawPostgres
from benchmarks.raw.redis import RawRedis
from benchmarks.raw.sqlite import RawSQLite

__all__ = ["PAYLOAD", "RAW", "RawStore"]

RAW: dict[str, Callable[[Path], RawStore]] = {
    "redis": lambda folder: RawRedis(),
    "postgres": lambda folder: RawPostgres(),
    "mysql": lambda folder: RawMariaDB(),
    "sqlite-full": lambda folder: RawSQLite(folder / "raw.db", "full"),
    "sqlite-normal": lambda folder: RawSQLite(folder / "raw.db", "normal"),
}

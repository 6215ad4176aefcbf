"""Advisory locks with fencing tokens, on the servers that are there anyway. Drivers load on use.

    async with RedisLocks("redis://localhost/0") as locks:
        async with locks.hold("nightly-report") as held:
            await warehouse.write(report, token=held.token)

What no lock of this kind can promise: that two holders never *believe* to hold it at once. A holder that is paused (by
the system, the garbage collector, a debugger, a virtual machine that moves) past its lease goes on where it stopped,
and by then another has the lock. So every grant has a **token** that is higher than all before it, and whatever
the lock protects must remember the highest token it saw and refuse a lower one: `Fence`, or one more condition in an
UPDATE. A lock without that check saves double work; it does not keep data right.

Shike's own runs need none of this: every claim carries such a token, and the store checks it.
"""

from __future__ import annotations

from shike.locks.base import Hold as Hold
from shike.locks.base import Locks as Locks
from shike.locks.fence import Fence as Fence
from shike.locks.mysql import MySQLLocks as MySQLLocks
from shike.locks.optimistic import Versioned as Versioned
from shike.locks.optimistic import change as change
from shike.locks.postgres import PostgresLocks as PostgresLocks
from shike.locks.redis import RedisLocks as RedisLocks
from shike.locks.sync import SyncLocks as SyncLocks

__all__ = [
    "Fence",
    "Hold",
    "Locks",
    "MySQLLocks",
    "PostgresLocks",
    "RedisLocks",
    "SyncLocks",
    "Versioned",
    "change",
]

"""Everything that names things: run ids, ids for users, business keys, the receiver's memory; and the seam for chance.

Nothing here draws on the clock or on chance unless it was handed one.
"""

from __future__ import annotations

from shike.ids.entropy import Entropy, SystemEntropy, fresh_identity
from shike.ids.keys import key_second, virtual_bucket
from shike.ids.machine import MachineLock
from shike.ids.runs import RunIds, bucket_of, session_number_of
from shike.ids.seen import SeenToday, day_of
from shike.ids.snowflake import Snowflake, machine_of

__all__ = [
    "Entropy",
    "MachineLock",
    "RunIds",
    "SeenToday",
    "Snowflake",
    "SystemEntropy",
    "bucket_of",
    "day_of",
    "fresh_identity",
    "key_second",
    "machine_of",
    "session_number_of",
    "virtual_bucket",
]

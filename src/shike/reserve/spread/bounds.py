"""Bounds of ledgers that are spread over processes, each with its reason. Units stand last in the name."""

from __future__ import annotations

from typing import Final

OWNER_LEASE_SECONDS: Final = 2.0  # three beats; buckets are given up after two and a half of them, seen 0.4 s later
PARTS: Final = 64  # so many virtual buckets a store of owners has: enough for dozens of processes
PARTS_MIN: Final = 16  # buckets there are at least, so that a few processes get even shares
ANSWER_SECONDS: Final = 1.0  # then a command is asked again: its owner may have died with it
PATIENCE_SECONDS: Final = 30.0  # then its asker is told that nobody knows
TAKE_SECONDS: Final = 0.5  # one wait for commands: buckets may have become ours meanwhile
TAKEN_MAX: Final = 500  # commands at once from the queues
OPEN_MAX: Final = 5_000  # of others, being decided here
WAITING_MAX: Final = 20_000  # in one queue; further ones are told to come again
POST_SECONDS: Final = 60.0  # a queue that nobody looks into is forgotten: its askers have long given up
SEEN_MAX: Final = 5_000  # ledgers of others, read here

"""The bounds of this room, each with its reason."""

from __future__ import annotations

from typing import Final

SLOTS_MAX: Final = 1_000  # of one kind in a worker pool: each run under way is remembered, some 30 bytes of a row
RESERVATIONS_TOLD_MAX: Final = 2_000  # of one pool, those that begin soonest: they travel in one row
CAP_MAX: Final = 10_000  # of one key: whoever decides reads the ids of all that hold it
TOKENS_MAX: Final = 1_000_000  # of a rate and its burst: more a period is no limit any more
LENGTH_SECONDS_MAX: Final = 366 * 24 * 3600.0  # of a window, a rest, a period: what waits a year was forgotten
WEIGHT_MIN: Final = 0.001
WEIGHT_MAX: Final = 1_000.0
WEIGHTS_MAX: Final = 1_000  # named in one limit: they travel in one row
LIMITS_PER_TASK_MAX: Final = 8  # each is looked at for every run
KEY_VALUE_CHARS_MAX: Final = 200  # of one argument that a limit counts by: a name, not a document
GATE_BYTES_MAX: Final = 500  # of a gate, which is an index key; with a name of a limit within the 700 signs of MySQL
SHARDS: Final = 64  # memories of one task whose limits all count by the same arguments: a row stays small
KEYS_REMEMBERED_MAX: Final = 1_000  # in one memory, of keys that are not at rest: 60 KB of a row
HEADS_PER_LOOK_MAX: Final = 200  # gates that one look reads: others have their turn with the next
GATES_FOUND_MAX: Final = 10_000  # of one search, after buckets changed hands; the sweep tells of the rest
ADMITS_PER_LOOK_MAX: Final = 500  # one write
LOOKS_AT_ONCE: Final = 16  # reads under way: what a pool of connections serves
DEFINITION_SECONDS: Final = 5.0  # how long a node believes what it read of limits; an edit is told at once
STRIKE_LOOK_SECONDS: Final = 2.0  # how long workers and nodes believe what they read of strikes, while there is work
STRUCK_READ_MAX: Final = 2_000  # of one gate, while anything is struck: who is not stands behind those who are
STRIKE_HOLD_SECONDS: Final = 15.0  # for which a struck run is put off, again and again
STRIKES_MAX: Final = 100  # each is tried on every run
PREDICATE_CHARS_MAX: Final = 1_000
PREDICATE_DEPTH_MAX: Final = 20  # of parentheses and `not`
HOLDS: Final = 1_000_000_000  # the cap of a guard that only takes a permit: what may be is decided before
WAITING_COUNTED: Final = 1_000  # of one gate, where they are listed: more is "many"
WHO_CHARS_MAX: Final = 200  # of who says so: a name or an address
NAME_CHARS_MAX: Final = 150  # of a limit: its kind and the arguments it goes by

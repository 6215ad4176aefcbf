"""The SQLite store: one file, several processes, durable by default. `SQLiteStore` is the way in.

Read `store.py` (the verbs, each a call into the file named like it), `thread.py` (one writer, group commit) and
`sql/001_tables.sql` (what is kept, and why so).
"""

from shike.store.sqlite.store import SQLiteStore

__all__ = ["SQLiteStore"]

"""An outbox in an SQLite file."""

from shike.outbox.sqlite.table import SQLiteTable

__all__ = ["SQLiteTable"]

"""An outbox in a PostgreSQL database."""

from shike.outbox.postgres.table import PostgresTable

__all__ = ["PostgresTable"]

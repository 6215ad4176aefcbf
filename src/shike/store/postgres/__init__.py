"""The PostgreSQL store: `shike.store.relational` over asyncpg.

`sql/` holds the layout and every statement, `link` runs them, `options` reads the URL, `opening` checks the server and
brings the layout up to date, `wakeup` tells other processes, `faults` says what the server's error codes mean.
"""

from shike.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]

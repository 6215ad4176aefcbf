"""The MySQL and MariaDB store: `shike.store.relational` over asyncmy.

`sql/` holds the layout and every statement, `texts` fills them in, `link` runs them, `options` reads the URL, `opening`
checks the server and brings the layout up to date, `wakeup` tells other processes, `faults` says what the server's
error codes mean.
"""

from shike.store.mysql.store import MySQLStore

__all__ = ["MySQLStore"]

"""An outbox in a MariaDB or MySQL database."""

from shike.outbox.mysql.table import MySQLTable

__all__ = ["MySQLTable"]

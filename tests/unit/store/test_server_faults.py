"""What a server without room says is a `StoreFull`, whoever wants to write and whatever was written before."""

import asyncpg
import pytest
from asyncmy.errors import OperationalError

from shike.errors import StoreFull, StoreUnavailable
from shike.store.mysql import faults as mysql_faults
from shike.store.postgres import faults as postgres_faults


@pytest.mark.parametrize("code", [1021, 1114])
def test_mariadb_without_room_is_full(code: int) -> None:
    error = mysql_faults.translated(OperationalError(code, "The table 'shike_keep' is full"), "mysql://here")
    assert isinstance(error, StoreFull)
    assert "here: the disk or a limit is full" in str(error)
    assert "make room and repeat" in str(error)


@pytest.mark.parametrize("code", ["53100", "54000"])
def test_postgres_without_room_is_full(code: str) -> None:
    said = asyncpg.PostgresError.new({"C": code, "M": "could not extend file"})
    error = postgres_faults.translated(said, "postgresql://here")
    assert isinstance(error, StoreFull)
    assert "make room and repeat" in str(error)


def test_a_server_without_a_connection_to_spare_says_how_to_come_by_one() -> None:
    said = asyncpg.PostgresError.new({"C": "53300", "M": "sorry, too many clients already"})
    crowded = [
        postgres_faults.unreachable(said, "postgresql://here"),
        mysql_faults.translated(OperationalError(1040, "Too many connections"), "mysql://here"),
    ]
    for error in crowded:
        assert isinstance(error, StoreUnavailable)
        assert "?connections=" in str(error) and "max_connections" in str(error)
    assert "pgbouncer" in str(crowded[0])

"""A store whose every answer to a question comes from a replica that lags, while what it writes goes to the primary."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from shike.store.base import Query
from shike.store.postgres import PostgresStore

QUESTIONS = frozenset(name for name in vars(Query) if not name.startswith("_")) - {"now"}


class Stale:
    """As a connection pool does it that sends reads to replicas. The replica itself would not be taken as a store."""

    def __init__(self, store: Any, replica: str, namespace: str) -> None:
        self._store = store
        self._replica = PostgresStore(replica, namespace=namespace)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._replica if name in QUESTIONS else self._store, name)

    async def open(self) -> None:
        async def let_be(*_: object) -> list[str]:
            return []

        await self._store.open()
        with patch("shike.store.postgres.store.check_server", let_be):
            await self._replica.open()

    async def close(self) -> None:
        await self._replica.close()
        await self._store.close()

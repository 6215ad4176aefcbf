"""A file's thread that others keep their tables by: what it does when the file cannot be used."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from shike.errors import ShikeError, StoreUnavailable
from shike.store.sqlite.aside import Aside


def test_a_file_that_cannot_be_opened_leaves_no_thread_and_may_be_opened_later(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "x.db").mkdir()
        file = Aside("things", f"sqlite:///{tmp_path}/x.db", "things", "create table if not exists {ns} (a integer);")
        with pytest.raises(ShikeError):
            await file.open()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("shike-things")]
        with pytest.raises(StoreUnavailable, match="open its things first"):
            await file.ask("select 1")
        (tmp_path / "x.db").rmdir()
        await file.open()
        assert await file.ask("select count(*) from {ns}") == [(0,)]
        await file.close()
        await file.close()

    asyncio.run(story())


def test_a_transaction_that_fails_writes_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        file = Aside("things", f"sqlite:///{tmp_path}/x.db", "things", "create table if not exists {ns} (a integer);")
        await file.open()

        def work() -> None:
            with file.transaction():
                file.rows("insert into {ns} values (1)")
                raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError):
            await file.do(work)
        assert await file.ask("select * from {ns}") == []
        await file.close()

    asyncio.run(story())

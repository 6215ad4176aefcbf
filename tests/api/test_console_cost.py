"""No page reads more with more in the store: rows are counted, and the plans of the statements behind them are read."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import shike.store.sqlite
from shike.app import Shike
from shike.model import State
from shike.operate import runs
from shike.operate.search import LOOKED_AT_MAX
from shike.server.console.pages.failures import LETTERS_MAX
from shike.store.base import RunFilter
from tests.api.browsing import look, signed_in
from tests.api.house import House, shop, visit

PAGES = ["", "/runs", "/runs?q=task:nobody", "/runs?q=state:dead", "/runs?q=args.order:-1", "/failures", "/audit"]
LIVE = LOOKED_AT_MAX + 1_000


@pytest.mark.parametrize("path", PAGES)
def test_a_page_reads_a_bounded_number_of_rows_and_counts_nothing(path: str) -> None:
    async def story(house: House) -> None:
        task = house.app.find_task("pay")
        for start in range(0, LIVE, 500):
            await house.app.client.submit_many([task.bind(order=start + number) for number in range(500)])
        read: dict[str, int] = {}
        for name in ("runs", "dead", "due", "timetable", "standing", "counts"):
            _counted(house.store, name, read)
        said = await look(house, f"/console{path}", await signed_in(house))
        assert said.status_code == 200
        assert "counts" not in read, "counting costs as much as there are runs under way"
        assert sum(read.values()) <= max(LOOKED_AT_MAX, LETTERS_MAX), read

    visit(story)


def _counted(store: Any, name: str, read: dict[str, int]) -> None:
    verb = getattr(store, name)

    async def counting(*args: Any, **kwargs: Any) -> Any:
        rows = await verb(*args, **kwargs)
        read[name] = read.get(name, 0) + (len(rows) if isinstance(rows, list) else 1)
        return rows

    setattr(store, name, counting)


def test_the_newest_runs_of_sqlite_are_found_without_looking_at_the_others(tmp_path: Path) -> None:
    path = tmp_path / "cost.db"

    async def fill() -> None:
        app: Shike = shop(f"sqlite:///{path}")
        handle = await app.find_task("pay").submit(order=1)
        await runs.cancel(app.client, int(handle.id), "no longer wanted")
        store = await app.client.store()
        assert await store.runs(RunFilter(states=(State.CANCELLED,)))
        await app.client.close()

    asyncio.run(fill())
    connection = sqlite3.connect(path)
    try:
        (table,) = connection.execute("select name from sqlite_master where name glob '*_history_[0-9]*'").fetchone()
        namespace, day = re.fullmatch(r"(\w+)_history_(\d+)", table).groups()  # type: ignore[union-attr]
        text = (Path(shike.store.sqlite.__file__).parent / "sql/reads.sql").read_text("utf-8")
        for name in ("runs_history", "runs_dead", "runs_live", "dead_letters"):
            (statement,) = re.findall(rf"-- name: {name}\n(.*?;)", text, re.DOTALL)
            statement = statement.format(ns=namespace, day=day)
            rows = connection.execute(f"explain query plan {statement}", [0] * statement.count("?")).fetchall()
            plan = [row[3] for row in rows]
            assert not any("TEMP B-TREE" in step for step in plan), (name, plan)  # nothing is sorted: it stops early
            assert "USING INTEGER PRIMARY KEY" in plan[0], (name, plan)
    finally:
        connection.close()

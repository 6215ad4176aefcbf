"""Processes on one MySQL store wake each other, and an idle one sleeps (R0.13)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from shike.store.hints import Hint, HintKind
from shike.store.mysql.wakeup import SLEEP_SECONDS, _show
from tests import bounded
from tests.contract.databases import EmptyMySQL
from tests.news import commits


def test_what_one_process_commits_the_other_hears_at_once(tmp_path: Path) -> None:
    async def talk() -> None:
        here, there = EmptyMySQL(tmp_path, None), EmptyMySQL(tmp_path, None)
        await here.open()
        await there.open()
        heard: asyncio.Queue[Hint] = asyncio.Queue()
        there.listen(commits(heard.put_nowait))
        try:
            async with asyncio.timeout(bounded.SECONDS / 2):
                while heard.empty():  # until the ear has opened
                    here.tell(Hint(HintKind.DUE, "mail", 0))
                    await asyncio.sleep(0.6)
            for number in range(1, 4):
                here.tell(Hint(HintKind.DUE, "mail", number))
                async with asyncio.timeout(SLEEP_SECONDS / 3):  # it does not sleep to the end
                    while (await heard.get()).at != number:
                        pass
        finally:
            await here.close()
            await there.close()

    bounded.run(talk())


def test_nobody_hears_himself_twice(tmp_path: Path) -> None:
    async def talk() -> list[Hint]:
        store = EmptyMySQL(tmp_path, None)
        await store.open()
        heard: list[Hint] = []
        store.listen(commits(heard.append))
        store.tell(Hint(HintKind.DUE, "mail", 1))
        await asyncio.sleep(0.3)
        await store.close()
        return heard

    assert len(bounded.run(talk())) == 1


def test_an_ear_that_is_awake_is_no_reason_to_tell_nobody(tmp_path: Path) -> None:
    """Who takes it for gone tells nothing for half a second: due times go unheard, and their runs start late."""

    async def talk() -> list[bool]:
        store = EmptyMySQL(tmp_path, None)
        await store.open()
        ear = await store._link()
        try:
            alone = await store._notify([store._tag], [])
            await _show(ear)  # and it never sleeps
            seen = await store._notify([store._tag], [])
            by_itself = await store._notify([store._tag], [int(ear.connection.thread_id())])
        finally:
            ear.drop()
            await store.close()
        return [alone, seen, by_itself]

    assert bounded.run(talk()) == [False, True, False]

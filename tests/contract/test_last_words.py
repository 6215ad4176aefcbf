"""What a program does just before it ends is heard by the others: a command ends right after its one deed (R0.13)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shike.store.hints import Hint, HintKind
from tests import bounded
from tests.contract import stores
from tests.news import commits


@pytest.mark.servers
@pytest.mark.parametrize("make", [stores.postgres, stores.mysql, stores.redis], ids=["postgres", "mysql", "redis"])
def test_the_last_words_of_a_program_are_heard(make: stores.Maker, tmp_path: Path) -> None:
    async def talk() -> None:
        there = make(tmp_path, None)
        await there.open()
        heard: asyncio.Queue[Hint] = asyncio.Queue()
        there.listen(commits(heard.put_nowait))
        try:
            async with asyncio.timeout(bounded.SECONDS / 2):
                while heard.empty():  # until the ear has opened
                    first = make(tmp_path, None)
                    await first.open()
                    first.tell(Hint(HintKind.DUE, "mail", 0))
                    await asyncio.sleep(0.6)
                    await first.close()
            here = make(tmp_path, None)
            await here.open()
            here.tell(Hint(HintKind.DUE, "mail", 7))
            await here.close()
            async with asyncio.timeout(bounded.SECONDS / 2):
                while (await heard.get()).at != 7:
                    pass
        finally:
            await there.close()

    bounded.run(talk())

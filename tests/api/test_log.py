"""The log of deeds is dropped from its beginning, and stays a chain that can be checked (P10)."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from shike.clock import MICROS, to_datetime
from shike.errors import Conflict
from shike.server import log
from shike.server.log import FROM, PURGED, Dropped, Log
from shike.server.roles import Role
from tests.api.house import House, visit

DAY = 86_400 * MICROS


class Days:
    """The store's clock, some days on."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = 0
        now = house.store.now

        async def later() -> int:
            return await now() + self.passed * DAY

        monkeypatch.setattr(house.store, "now", later)


async def write(house: House, count: int) -> None:
    for number in range(count):
        await house.desk.log.note(None, "", f"deed {number}", 200)


def test_what_is_old_goes_and_the_chain_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LOG_SEGMENT", 7)

    async def story(house: House) -> None:
        days = Days(house, monkeypatch)
        await write(house, 20)
        days.passed = 40
        await write(house, 5)
        said = await house.ask("POST", "/log/purge", {"keep_days": 30})
        assert (said.status, said.body["until"], said.body["count"]) == (200, 20, 20)
        checked = (await house.ask("GET", "/log/check")).body
        assert checked["sound"] is True and checked["entries"] == 27
        entries = (await house.ask("GET", "/log")).body["entries"]
        assert [one["number"] for one in entries] == list(range(27, 20, -1))
        assert entries[1]["deed"] == PURGED and entries[1]["after"]["until"] == 20
        assert entries[0]["deed"] == "POST /api/v1/log/purge"
        assert [row.key for row in await house.store.controls("log/0000000")] != []
        assert not [row for row in await house.store.controls("log/") if int(row.key[4:13]) * 7 + 6 < 20]
        again = await house.ask("POST", "/log/purge", {"keep_days": 30})
        assert again.body["count"] == 0
        fresh = Log(house.store, house.desk.clock)
        await fresh.note(None, "", "after a restart", 200)
        assert (await fresh.check()).sound
        assert (await house.ask("POST", "/log/purge", {"keep_days": 0})).field == "keep_days"
        assert (await house.ask("POST", "/log/purge", {"keep_days": 30}, role=Role.EDITOR)).status == 403

    visit(story)


def test_entries_that_went_without_a_word_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(house: House) -> None:
        await write(house, 10)
        rows = await house.store.controls("log/")
        (fifth,) = [msgspec.json.decode(row.value) for row in rows if msgspec.json.decode(row.value)["number"] == 5]
        for row in rows[:5]:
            await house.store.put(row.key, None, expect=None)
        assert (await house.desk.log.check()).broken_at == 1
        row = msgspec.json.encode(Dropped(until=5, hash=fifth["hash"]))
        await house.store.put(FROM, row, expect=None)
        checked = await house.desk.log.check()
        assert (checked.sound, checked.broken_at) == (False, 1) and "no entry tells of it" in checked.words

    visit(story)


@pytest.mark.parametrize("died_after", ["the entry", "the row"])
def test_a_purge_that_was_cut_off_is_completed_by_the_next(monkeypatch: pytest.MonkeyPatch, died_after: str) -> None:
    async def story(house: House) -> None:
        days = Days(house, monkeypatch)
        await write(house, 10)
        days.passed = 40
        await write(house, 1)
        before = to_datetime(await house.store.now()) - timedelta(days=1)

        async def dies(*_: object) -> None:
            raise RuntimeError("killed")

        with monkeypatch.context() as patched:
            patched.setattr(house.desk.log, "_sweep", dies)
            if died_after == "the entry":
                patched.setattr(house.store, "put", _only_entries(house.store.put, dies))
            with pytest.raises(RuntimeError):
                await house.desk.log.purge(None, "", before)
        assert (await house.desk.log.check()).sound
        await house.desk.log.purge(None, "", before)
        assert (await house.desk.log.check()).sound
        assert len(await house.store.controls("log/")) in (2, 3)

    visit(story)


def _only_entries(put, dies):  # type: ignore[no-untyped-def]
    async def puts(key: str, *words: object, **more: object) -> object:
        return await dies() if key == FROM else await put(key, *words, **more)

    return puts


def test_of_two_that_purge_at_once_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(house: House) -> None:
        days = Days(house, monkeypatch)
        await write(house, 10)
        days.passed = 40
        await write(house, 1)
        before = to_datetime(await house.store.now())
        other = Log(house.store, house.desk.clock)
        note = house.desk.log.note

        async def meanwhile(*words: object) -> None:
            await note(*words)  # type: ignore[arg-type]
            monkeypatch.setattr(house.desk.log, "note", note)
            await other.purge(None, "", before)

        monkeypatch.setattr(house.desk.log, "note", meanwhile)
        with pytest.raises(Conflict):
            await house.desk.log.purge(None, "", before)
        assert (await other.check()).sound

    visit(story)

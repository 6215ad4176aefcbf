"""Whoever tells an alarm is killed with -9 at the message: it is told once more at most, and not forgotten (R2.9)."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from shike.app import Shike
from shike.operate import alarms
from tests import bounded
from tests.fault.processes import importing
from tests.unit.connect.alarms.local import HookServer, listening


class Killing(HookServer):
    """Kills whoever sends the first message, when it has come, or when it has been answered."""

    victim: Process | None = None
    answers_first: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        victim, self.victim = self.victim, None
        if victim is None or self.answers_first:
            await super().serve(reader, writer)
        else:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        if victim is not None:
            victim.kill()


@pytest.mark.slow
@pytest.mark.parametrize("answers_first", [False, True], ids=["before the answer", "after the answer"])
def test_killed_at_the_message(tmp_path: Path, answers_first: bool) -> None:
    async def story() -> None:
        server = Killing(answers_first=answers_first)
        async with listening(server.serve) as port:
            server.place = f"127.0.0.1:{port}"
            first = server.victim = await child(tmp_path, server.place)
            await first.wait()
            second = await child(tmp_path, server.place)
            try:
                await nothing_is_owed(tmp_path)
            finally:
                second.kill()
                await second.wait()
        assert 1 <= len(server.got) <= 2, "one that was not answered is not in it"

    bounded.run(story(), bounded.CROWD_SECONDS)


async def child(folder: Path, place: str) -> Process:
    environment = importing() | {
        "ALARM_STORE": str(folder / "shike.db"),
        "ALARM_PLACE": place,
        "ALARM_HOOK": f"http://{place}/hook",
    }
    script = str(Path(__file__).with_name("alarm_child.py"))
    return await asyncio.create_subprocess_exec(sys.executable, script, env=environment, cwd=folder)


async def nothing_is_owed(folder: Path) -> None:
    """The alarm is raised, and everybody was told."""
    app = Shike(f"sqlite:///{folder / 'shike.db'}?synchronous=normal")
    store = await app.client.store()
    while not (found := await alarms.listing(store)) or found[0].waiting:
        await asyncio.sleep(0.05)
    assert [(one.rule, one.subject, one.untold) for one in found] == [("dead", "pay", [])]
    await app.client.close()

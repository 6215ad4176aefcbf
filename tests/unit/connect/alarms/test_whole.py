"""From a run that fails to a message in a chat, in one process, on a real store, over a socket (R2.9, R2.11)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from shike.app import Shike
from shike.connect.alarms import Dead, Slack
from shike.connect.alarms.watch import watch_of
from shike.operate import alarms, dead
from tests import bounded
from tests.unit.connect.alarms.local import HookServer, hook_server


async def until_told(server: HookServer, count: int) -> str:
    """The text of the message of that number."""
    while len(server.got) < count:
        await asyncio.sleep(0.01)
    return str(server.got[count - 1].json["text"])


def shop(folder: Path, server: HookServer) -> Shike:
    """A program, as it is started each time."""
    app = Shike(f"sqlite:///{folder / 'shop.db'}?synchronous=normal", namespace="shop")

    @app.task(name="pay", owner="treasury")
    async def pay(order: int) -> None:
        raise ValueError("the bank said no")

    app.alarm(Dead(), Slack(server.url, allow=[server.place]), recover="0s", quiet="0s")
    watch_of(app).look_seconds = 0.05
    return app


def test_a_dead_letter_is_told_once_over_a_restart_and_its_end_too(tmp_path: Path) -> None:
    async def story() -> None:
        async with hook_server() as server:
            app = shop(tmp_path, server)
            async with app.running():
                await app.find_task("pay").submit(order=7)
                text = await until_told(server, 1)
                assert text.startswith("[shop] 1 alarm: dead pay")
                assert "ValueError: the bank said no (of treasury), since 2" in text
                store = await app.client.store()
                (one,) = await alarms.listing(store)
                while (await alarms.listing(store))[0].waiting:
                    await asyncio.sleep(0.01)
            await app.client.close()

            again = shop(tmp_path, server)
            async with again.running():
                store = await again.client.store()
                assert (await alarms.ack(store, one.id, by="lin")).acked_by == "lin"
                await dead.drop(store, await dead.pick(store, [], everything=True))
                assert "✓ over after" in await until_told(server, 2)
            await again.client.close()
            assert len(server.got) == 2

    bounded.run(story())

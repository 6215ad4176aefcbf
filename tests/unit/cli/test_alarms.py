"""`shike alarms`: what is raised, who has it, what is watched for, and whether a channel works (R2.9)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shike.clock import SystemClock
from shike.connect.alarms.trying import letter
from shike.store.opening import open_store
from shike.track.alarm import encoded, key_of
from tests import bounded
from tests.unit.cli.conftest import Shell
from tests.unit.connect.alarms.local import HookServer, hook_server

ALARM = letter().told[0].alarm


async def one_is_raised() -> None:
    store = open_store("sqlite:///shop.db?synchronous=normal", namespace="shike", clock=SystemClock())
    await store.open()
    await store.put(key_of(ALARM.id), encoded(ALARM), expect=0)
    await store.close()


def test_list_and_ack(shell: Shell, shop: Path) -> None:
    asyncio.run(one_is_raised())
    answer = shell("alarms", "list")
    assert answer.code == 1 and ALARM.id in answer.out and ALARM.words in answer.out
    assert shell("alarms", "ack", ALARM.id[:5], "--by", "lin").out.startswith(f"lin looks after alarm {ALARM.id}")
    answer = shell("alarms", "list", "--json")
    assert answer.code == 0 and answer.json["alarms"][0]["acked_by"] == "lin"
    assert shell("alarms", "ack", ALARM.id, "--by", "wang").code == 2
    assert shell("alarms", "ack", "ffff").code == 2


def test_rules_of_the_app_and_of_the_settings(shell: Shell, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        shop / "shop.py"
    ).read_text() + "\nfrom shike.connect.alarms import Dead\napp.alarm(Dead('pay'), after='1m')\n"
    (shop / "shop.py").write_text(text)
    monkeypatch.setenv("SHIKE_ALARMS", "late:mail>30s")
    found = shell("alarms", "rules", "--json").json["rules"]
    assert [(one["rule"], one["after_seconds"]) for one in found] == [("dead:pay", 60.0), ("late:mail>30s", 0.0)]
    assert "the log" in shell("alarms", "rules").out
    assert shell("alarms", "test").out.strip() == "there is no channel"


@pytest.fixture
def hook() -> Iterator[HookServer]:
    """A local hook on a thread of its own."""
    ready, kept = threading.Event(), []
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with hook_server((200, b"ok"), (404, b"no_service")) as server:
            kept.append(server)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(bounded.SECONDS)
    yield kept[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(bounded.SECONDS)
    loop.close()


def test_a_channel_is_tried(shell: Shell, folder: Path, hook: HookServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", hook.url)
    monkeypatch.setenv("SHIKE_ALARMS_TO", "slack:HOOK")
    monkeypatch.setenv("SHIKE_ALARMS", "dead")
    monkeypatch.setenv("SHIKE_ALLOW_HTTP", hook.place)
    answer = shell("alarms", "test")
    assert answer.code == 0 and "told" in answer.out
    assert "this is a test: alarms get here" in hook.got[0].json["text"]
    answer = shell("alarms", "test", "slack:HOOK")
    assert answer.code == 1 and "404" in answer.out and "t0ken" not in answer.out
    answer = shell("alarms", "test", "pager")
    assert answer.code == 2 and "slack:HOOK" in answer.err

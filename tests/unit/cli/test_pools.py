"""Worker pools at the command line: whose slots are whose, and how they are reserved from a program (R1.13)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Shell

APP = """
import asyncio
from datetime import timedelta

from shike import Reserved, Shike
from shike.reserve.clerk import Clerk
from shike.reserve.journal import open_journal
from shike.reserve.time_pool import TimePool

app = Shike("sqlite:///gpus.db?synchronous=normal")

@app.task(name="train", limits=[Reserved("workers", "gpu", "10m", by="tenant")])
async def train(tenant: str) -> None: ...

async def reserve() -> None:
    store = await app.client.store()
    journal = open_journal("sqlite:///pool.db")
    async with Clerk(journal) as clerk:
        pool = TimePool(clerk, "workers", app.runtime.clock, store=store)
        await pool.open({"gpu": 4, "cpu": 32})
        await pool.reserve("gpu", 3, app.now(), app.now() + timedelta(hours=2), id="r1", tenant="acme")
    await journal.close()

if __name__ == "__main__":
    asyncio.run(reserve())
"""


@pytest.fixture
def gpus(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder / "gpus.py").write_text(APP, encoding="utf-8")
    monkeypatch.setenv("SHIKE_APP", "gpus.py")
    return folder


def test_slots_are_shown_with_who_has_reserved_them_and_runs_say_what_they_wait_for(shell: Shell, gpus: Path) -> None:
    namespace: dict[str, object] = {"__name__": "__main__"}
    exec(compile(APP, "gpus.py", "exec"), namespace)  # noqa: S102 - our own
    namespace["app"].client.close_sync()  # type: ignore[attr-defined]
    shell("up", "--drain", "--plain")
    kinds = shell("pools", "--json").json["pools"]
    assert [(one["kind"], one["size"], one["taken"], one["reserved"]) for one in kinds] == [
        ("cpu", 32, 0, {}),
        ("gpu", 4, 0, {"acme": 3}),
    ]
    assert "acme 3" in shell("pools").out
    told = shell("pools", "workers")
    assert "tenant" in told.out and shell("pools", "workers", "--json").json["reservations"][0]["count"] == 3
    assert "slots of workers/gpu, reserved by tenant" in shell("limits", "list").out


def test_a_pool_that_nobody_told_of_is_named(shell: Shell, gpus: Path) -> None:
    shell("up", "--drain", "--plain")
    assert shell("pools").out == "no worker pool was told to this store\n"
    answer = shell("pools", "workers")
    assert answer.code == 2 and "no pool 'workers' was told" in answer.err

"""What a power loss may take back (P8): claims and beats, and nothing that anybody would miss."""

from __future__ import annotations

import shutil
from pathlib import Path

from shike.store.sqlite import SQLiteStore
from shike.store.verbs import Beat, Claim, Want
from tests.unit.store.sqlite_world import claim, entry, join, opened, run, succeed

FULL, NORMAL = 2, 1


def level(store: SQLiteStore) -> int:
    """How the writer's connection committed last."""
    assert store._writer is not None
    found: int = store._writer._tx.connection.execute("pragma synchronous").fetchone()[0]
    return found


def as_after_a_power_loss(path: Path, to: Path) -> Path:
    """The file and its log as the last forced commit left them on the disk."""
    to.mkdir()
    for part in (path, path.with_name(path.name + "-wal")):
        shutil.copy(part, to / part.name)
    return to / path.name


def test_a_lost_claim_is_an_eligible_run_and_its_token_is_never_given_again(tmp_path: Path) -> None:
    path = tmp_path / "shike.db"

    async def before() -> tuple[Path, int]:
        async with opened(path) as store:
            await join(store)
            await store.submit([entry(1)])
            disk = as_after_a_power_loss(path, tmp_path / "disk")
            return disk, (await claim(store, 1)).runs[0].token

    async def after(disk: Path) -> int:
        async with opened(disk) as store:
            await join(store, "reborn")
            await store.close_session("worker", seen_beat=None, reason="power loss")
            await store.free("worker", 10)
            counts = await store.counts()
            assert (counts.eligible, counts.running) == (1, 0)
            await join(store, "worker2")
            wants = (Want("default", 1, 1),)
            batch = await store.claim(Claim(session="worker2", number=1, wants=wants, tasks=frozenset({"mail"})))
            return batch.runs[0].token

    disk, token = run(before())
    assert run(after(disk)) > token


def test_only_claims_and_beats_do_not_wait_for_the_disk(tmp_path: Path) -> None:
    async def levels() -> list[int]:
        async with opened(tmp_path / "shike.db") as store:
            found = []
            await join(store)
            found.append(level(store))
            await store.submit([entry(1)])
            found.append(level(store))
            batch = await claim(store, 1)
            found.append(level(store))
            await store.beat(
                Beat(session="worker", number=1, lease_seconds=1e6, received=1, holds=(batch.runs[0].token,))
            )
            found.append(level(store))
            await succeed(store, batch)
            found.append(level(store))
            return found

    assert run(levels()) == [FULL, FULL, NORMAL, NORMAL, FULL]


def test_normal_by_choice_is_never_raised(tmp_path: Path) -> None:
    async def levels() -> list[int]:
        async with opened(f"sqlite:///{tmp_path / 'shike.db'}?synchronous=normal") as store:
            await join(store)
            await store.submit([entry(1)])
            before = level(store)
            await claim(store, 1)
            return [before, level(store)]

    assert run(levels()) == [NORMAL, NORMAL]

"""What is kept of a run that comes back again and again."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shike.model import RECORD_VERSION, Attempt, State
from shike.store.sqlite import settle
from shike.store.sqlite.database import TOKENS_PER_OPENING
from shike.store.verbs import Ack
from tests.unit.store.sqlite_world import claim, entry, join, opened, run


def test_a_run_that_is_snoozed_for_ever_keeps_its_youngest_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "ATTEMPTS_MAX", 3)

    async def snooze() -> list[int]:
        async with opened(tmp_path / "shike.db") as store:
            await join(store)
            await store.submit([entry(1)])
            for number in range(1, 7):
                (one,) = (await claim(store, 1, number)).runs
                attempt = Attempt(RECORD_VERSION, one.attempt, one.token, "worker", State.SCHEDULED)
                trace = msgspec.msgpack.encode(attempt)
                await store.settle("worker", [Ack(one.run.id, one.token, State.SCHEDULED, trace=trace)])
            return [attempt.token for attempt in await store.attempts(1 << 8)]

    assert [token % TOKENS_PER_OPENING for token in run(snooze())] == [4, 5, 6]

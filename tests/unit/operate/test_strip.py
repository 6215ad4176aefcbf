"""What became of each moment of a schedule is told, newest first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shike import Shike
from shike.operate import schedules
from shike.operate.strip import Became, strip
from shike.testing import harness
from shike.testing.harness import Harness

app = Shike("memory://")
broken = [False]


@app.task
async def tick() -> None:
    if broken[0]:
        raise ValueError("no")


app.schedule(tick, every="1m", name="ticks", misfire="skip", misfire_grace="10s")


@pytest.fixture
def time() -> Iterator[Harness]:
    broken[0] = False
    with harness(app) as found:
        yield found


def test_ran_failed_paused_and_under_way(time: Harness) -> None:
    time.advance("5m")
    broken[0] = True
    time.advance("1m")
    broken[0] = False
    store = time.run(app.client.store())
    time.run(schedules.pause(store, "ticks", "tea", None))
    time.advance("10m")
    time.run(schedules.resume(store, "ticks"))
    time.advance("2m")
    cells = time.run(strip(store, "ticks"))
    words = [(cell.became, cell.count) for cell in cells]
    assert [cell.moment for cell in cells] == sorted((cell.moment for cell in cells), reverse=True)
    assert (Became.FAILED, 1) in words and words.count((Became.RAN, 1)) >= 6
    assert sum(count for became, count in words if became is Became.PAUSED) >= 9
    (failed,) = [cell for cell in cells if cell.became is Became.FAILED]
    assert failed.run and "no" in failed.reason
    assert len(time.run(strip(store, "ticks", cells=3))) == 3

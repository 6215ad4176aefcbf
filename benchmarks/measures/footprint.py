"""What Redis keeps in memory for each run that waits."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.measure import Column, Measure, Size, rows_of
from benchmarks.process import Side
from benchmarks.systems import SYSTEMS
from benchmarks.systems.base import URL_VARIABLE

FAR_SECONDS = 24 * 3600.0
NEAR_SECONDS = 30.0  # within the slice that begins next, where there are slices: in a lane
OURS, THEIRS = 100_000, 4_000
CALM_SECONDS = 0.3  # until buffers of the log are written


def _used() -> int:
    import redis

    with redis.Redis.from_url(os.environ[URL_VARIABLE]) as client:
        time.sleep(CALM_SECONDS)
        info = client.info("memory")
        return int(info["used_memory"]) - int(info.get("mem_aof_buffer", 0))


def _bytes_each(side: Side, count: int, seconds: float) -> float:
    before = _used()
    side.ask("preload", count=count, due=time.time() + seconds)
    return (_used() - before) / count


def _footprint(name: str, folder: Path, size: Size) -> dict[str, float]:
    ours = SYSTEMS[name].ours
    count = (OURS if ours else THEIRS) // (10 if size is Size.QUICK else 1)
    with Side(name, folder, folder / "log") as side:
        side.ask("submit", body="mark", first=0, count=1)
        figures = {"pending": count, "beyond": _bytes_each(side, count, FAR_SECONDS)}
        if ours:
            figures["inside"] = _bytes_each(side, count, NEAR_SECONDS)
    return figures


MEASURE = Measure(
    name="footprint",
    title="Bytes in Redis per pending run",
    about="""Growth of used memory, without the buffer of the log, by runs of one small integer: due tomorrow, and due
    in half a minute. Only ours tells the two apart, where it has slices (`precise`, or `slices=on`). Every one of ours
    can be cancelled by its id.""",
    rows=rows_of(
        "shike-redis-precise", "shike-redis", "celery", "rq", "dramatiq", "huey-redis", "arq", "saq", "taskiq"
    ),
    columns=(
        Column("pending", "pending"),
        Column("beyond", "due tomorrow, bytes"),
        Column("inside", "due within the read-ahead, bytes"),
    ),
    run=_footprint,
    repeats=1,
    key="beyond",
    more_is_better=False,
)

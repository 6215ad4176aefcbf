"""What a SIGKILL in mid-run costs: runs lost, begun again, finished twice, and the time until all is well."""

from __future__ import annotations

import math
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from benchmarks import body
from benchmarks.measure import Column, Measure, Size, brokered_rows, rows_of, safe_rows
from benchmarks.process import Side, wait_until
from benchmarks.systems import SYSTEMS

RUNS = 500
PATIENCE_SECONDS_QUICK = 1.5


def _numbers(records: list[body.Record], event: int) -> Counter[int]:
    return Counter(record.number for record in records if record.event == event)


def _all_ended(log: Path) -> bool:
    return body.count(log) >= 2 * RUNS and len(_numbers(body.read(log), body.END)) == RUNS


def _crash(name: str, folder: Path, size: Size) -> dict[str, float]:
    spec, log = SYSTEMS[name], folder / "log"
    with ExitStack() as stack:
        producer = stack.enter_context(Side(name, folder, log))
        producer.ask("submit", body="nap", first=0, count=RUNS, way="bulk" if spec.bulk else "one")
        producer.kill()
        victim = stack.enter_context(Side(name, folder, log))
        victim.tell("work")
        if not wait_until(lambda: body.count(log) >= 2 * RUNS // 3, 30):
            raise RuntimeError(f"it never came so far: {victim.last_words()}")
        victim.kill()
        killed_ns, before = time.time_ns(), body.read(log)
        stack.enter_context(Side(name, folder, log, {"do": "work"}))
        patience_seconds = PATIENCE_SECONDS_QUICK if size is Size.QUICK else spec.patience_seconds
        wait_until(lambda: _all_ended(log), patience_seconds)
    return _toll(before, body.read(log), killed_ns)


def _toll(before: list[body.Record], records: list[body.Record], killed_ns: int) -> dict[str, float]:
    started, ended = _numbers(records, body.START), _numbers(records, body.END)
    caught = _numbers(before, body.START).keys() - _numbers(before, body.END).keys()
    lost = RUNS - len(ended)
    figures: dict[str, float] = {
        "in_flight": len(caught),
        "lost": lost,
        "repeats": sum(times - 1 for times in started.values()),
        "finished_twice": sum(times > 1 for times in ended.values()),
    }
    hurt = caught | {number for number, times in started.items() if times > 1}
    healed_ns = max((r.at_ns for r in records if r.number in hurt and r.event == body.END), default=killed_ns)
    figures["heal_seconds"] = math.inf if lost else (healed_ns - killed_ns) / 1e9
    return figures


_COLUMNS = (
    Column("in_flight", "in flight", fold=max),
    Column("lost", "lost", fold=max),
    Column("repeats", "begun again", fold=max),
    Column("finished_twice", "finished twice", fold=max),
    Column("heal_seconds", "healed after s", 2, fold=max),
)

MEASURE = Measure(
    name="crash",
    title="SIGKILL in mid-run",
    about="""500 runs of 10 ms; the worker is killed when about a third is done and a new one is started at once,
    everything at its defaults. In flight: inside the handler at the kill; what had ended but was not acknowledged yet
    is begun again too, and finishes twice. Lost: not finished when the waiting ended (10 s). Healed: from the kill to
    the end of the last run that it had interrupted, or that was begun again. The worst of the repeats is told, not
    the median.""",
    rows=rows_of("shike-sqlite", "shike-sqlite-threads", "huey-w1", "huey-w4", "apscheduler-sqlite"),
    columns=_COLUMNS,
    run=_crash,
    repeats=2,
)

BROKERED = Measure(
    name="crash-brokered",
    title="SIGKILL in mid-run, on servers",
    about="""As above, with a server; each peer with the settings that make it fast. Watched for 6 s, ours for 30 s and
    PgQueuer, which heals by itself, for 45 s: lost means not finished by then; some of it would come back after minutes
    or an hour, some never.""",
    rows=brokered_rows(),
    columns=_COLUMNS,
    run=_crash,
    repeats=1,
)

SAFE = Measure(
    name="crash-safe",
    title="SIGKILL in mid-run, peers made safe",
    about="""As above, each peer with the settings with which it recovers. Watched for 30 s.""",
    rows=safe_rows(),
    columns=_COLUMNS,
    run=_crash,
    repeats=1,
    full_only=True,
)

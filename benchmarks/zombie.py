"""Worker A sleeps past its lease, B takes its run over and ends it, A wakes and reports: `python -m benchmarks.zombie`.

A is stopped by SIGSTOP in the middle of a run of 4 s; B starts at once. When B has ended the run, A goes on, ends it
too, and acknowledges. No system can prevent that A's effect comes a second time; what it can do is refuse the late
report, keep the result that was accepted, tell A, and hand the run a token with which the outside can refuse. Each peer
has the settings with which it recovers in a minute at all (`…-safe` in benchmarks/systems). `--write` puts the
table into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import body
from benchmarks.brokers import make_fresh
from benchmarks.conditions import Watch
from benchmarks.process import Side, wait_until
from benchmarks.report import PAGE, between
from benchmarks.systems import SYSTEMS

CONTESTANTS = (
    "shike-sqlite",
    "shike-redis",
    "shike-postgres",
    "shike-mysql",
    "arq-safe",
    "saq-safe",
    "rq-safe",
    "dramatiq-safe",
    "procrastinate-safe",
)
INTO_THE_RUN_SECONDS = 0.5  # what belongs to its start is written: who stops in a transaction of SQLite stops everybody
PATIENCE_SECONDS = 100.0  # until B has the run: RQ needs a minute and more
AFTER_SECONDS = 4.0  # for A to end the run and to report


@dataclass(frozen=True)
class Verdict:
    """What became of one run that two workers had."""

    system: str
    over_seconds: float  # from the stop of A to the start of the run by B
    ended_by: str
    kept: str  # what the system says about the run in the end
    said: str  # what A wrote when it woke

    def cells(self) -> list[str]:
        over = "never" if math.isinf(self.over_seconds) else f"{self.over_seconds:.0f} s"
        return [SYSTEMS[self.system].title, over, self.ended_by, self.kept, self.said or "nothing"]


def judge(name: str, folder: Path) -> Verdict:
    """One run, two workers."""
    make_fresh(SYSTEMS[name].service)
    log = folder / "log"
    with ExitStack() as stack:
        client = stack.enter_context(Side(name, folder, log))
        client.ask("known", key="zombie")
        first = stack.enter_context(Side(name, folder, log))
        first.tell("work")
        if not wait_until(lambda: body.count(log) >= 1, 20):
            raise RuntimeError(f"the run never started: {first.last_words()}")
        wait_until(lambda: False, INTO_THE_RUN_SECONDS)
        os.killpg(first.pid, signal.SIGSTOP)
        stopped_ns, words_before = time.time_ns(), first.words()
        second = stack.enter_context(Side(name, folder, log))
        second.tell("work")
        taken = wait_until(lambda: body.count(log) >= 2, PATIENCE_SECONDS)
        over_seconds = (body.read(log)[1].at_ns - stopped_ns) / 1e9 if taken else math.inf
        wait_until(lambda: _ends(log) >= 1, body.DOZE_SECONDS + 2 if taken else 0)
        os.killpg(first.pid, signal.SIGCONT)
        wait_until(lambda: _ends(log) >= 2, AFTER_SECONDS)
        wait_until(lambda: False, AFTER_SECONDS)
        kept = client.ask("kept", key="zombie")["kept"]
        return Verdict(name, over_seconds, _enders(log), _whose(kept, log), _last_line(first, words_before))


def _ends(log: Path) -> int:
    return sum(record.event == body.END for record in body.read(log))


def _enders(log: Path) -> str:
    pids = _workers(log)
    return " and ".join(pids[record.pid] for record in body.read(log) if record.event == body.END) or "nobody"


def _workers(log: Path) -> dict[int, str]:
    """A is who started first."""
    order = list(dict.fromkeys(record.pid for record in body.read(log)))
    return dict(zip(order, "ABCDEFGH", strict=False))


def _whose(kept: str, log: Path) -> str:
    """A result is the process that ended the run."""
    return f"the result of {_workers(log)[int(kept)]}" if kept.isdigit() and int(kept) in _workers(log) else kept


def _last_line(side: Side, before: str) -> str:
    """What it wrote since, shortened: the last line that says something and is no frame of a traceback."""
    since = side.words().removeprefix(before).splitlines()
    lines = [
        line.strip()
        for line in since
        if line[:1].strip() and not line.startswith("CONTEXT") and line.rstrip()[-1:] != ":"
    ]
    said = lines[-1] if lines else ""
    return said.replace("|", "/")[:140]


def table(verdicts: list[Verdict]) -> str:
    heads = ["", "B has it after", "the handler was ended by", "the system says in the end", "A is told, or says"]
    rows = [heads, ["---"] * len(heads), *(verdict.cells() for verdict in verdicts)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zombie", description=__doc__)
    parser.add_argument("--only", action="append", choices=CONTESTANTS, help="this one; may be repeated")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args()
    watch, verdicts, failures = Watch(), [], []
    for name in options.only or CONTESTANTS:
        with tempfile.TemporaryDirectory(prefix="shike-zombie-", ignore_cleanup_errors=True) as folder:
            try:
                verdicts.append(judge(name, Path(folder)))
                print(" | ".join(verdicts[-1].cells()), flush=True)
            except Exception as error:  # one that cannot be judged must not end the hearing
                failures.append(f"\n{SYSTEMS[name].title}: {error}")
                print(failures[-1], flush=True)
    text = "\n".join([table(verdicts), *failures, "", f"*{watch.line(repeats=1)}*"])
    if options.write:
        PAGE.write_text(between(PAGE.read_text(), "zombie", text))


if __name__ == "__main__":
    main()

"""Scheduler and worker beside a sync web server: any number of its processes make one timetable."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.fault.processes import PATIENCE, importing
from tests.servers import free_port

WORKERS = 4


class Web:
    """gunicorn with four workers and a reloader, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes = folder / "notes"
        self.store = folder / "shike.db"
        self.port = free_port()
        self.module = folder / "web_app.py"
        shutil.copy(Path(__file__).with_name("web_app.py"), self.module)
        environment = importing() | {"WEB_STORE": str(self.store), "WEB_NOTES": str(self.notes)}
        command = [sys.executable, "-m", "gunicorn", "--workers", str(WORKERS), "--reload", "--reload-engine", "poll"]
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--bind", f"127.0.0.1:{self.port}", "--no-control-socket", "web_app:page"],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=log,
            )

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.notes.read_text().splitlines()] if self.notes.exists() else []

    def ticks(self) -> list[int]:
        return [int(word) for word, _ in self.lines() if word.isdigit()]

    def until(self, what: Callable[[], object], why: str) -> None:
        end = time.monotonic() + 2 * PATIENCE
        while not what():
            assert time.monotonic() < end, f"{why}\n{(self.folder / 'log').read_text()[-3000:]}"
            assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
            time.sleep(0.05)

    def order(self, number: int) -> None:
        with urlopen(f"http://127.0.0.1:{self.port}/{number}", timeout=PATIENCE) as answer:
            assert answer.status == 200

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    made = Web(tmp_path)
    yield made
    made.close()


@pytest.mark.slow
def test_four_workers_of_gunicorn_and_its_reloader_make_one_timetable(web: Web) -> None:
    """R3.12, P1 and P7: each moment once, while workers are replaced by an edit and one is killed."""
    web.until(lambda: len(web.ticks()) > 4, "no ticks")
    for number in range(20):
        web.order(number)
    os.utime(web.module)
    seen = len(web.ticks())
    web.until(lambda: len(web.ticks()) > seen + 6, "no ticks after the reload")
    victim = web.lines()[-1][1]
    os.kill(int(victim), signal.SIGKILL)
    seen = len(web.ticks())
    web.until(lambda: len(web.ticks()) > seen + 6, "no ticks after a kill")
    last = max(web.ticks())
    web.until(lambda: max(web.ticks()) > last + 1_000_000, "it does not go on")
    web.until(lambda: {word for word, _ in web.lines()} >= {f"order-{n}" for n in range(20)}, "orders were lost")
    web.close()

    audit = [sys.executable, "-m", "shike.cli", "audit", "--from", "1h ago", "--store", f"sqlite:///{web.store}"]
    told = subprocess.run(audit, env=importing(), capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert told.returncode == 0, told.stdout
    ticks = Counter(web.ticks())
    repeated = {str(moment) for moment, times in ticks.items() if times > 1}
    victims = {word for word, pid in web.lines() if pid == victim}
    assert repeated <= victims, "only what was under way in the killed worker may repeat (P4)"
    assert max(ticks.values()) <= 2
    assert len({pid for word, pid in web.lines() if word.isdigit()}) > 2, "they share the work"

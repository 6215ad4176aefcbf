"""A Redis that comes back empty under real processes: they say so, start anew, and work on an empty store."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import servers
from tests.fault.processes import importing
from tests.unit.store.redis_world import line_to, private

PATIENCE = 60.0
ROOT = Path(__file__).parents[2]


def until(what: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, log.read_text()[-3_000:]
        time.sleep(0.05)


@pytest.mark.parametrize("how", ["FLUSHALL", "restart"])
def test_processes_start_anew_where_the_server_came_back_empty(tmp_path: Path, how: str) -> None:
    for server in private(tmp_path / "server", "--appendonly", "no"):
        started_anew(tmp_path, server, how)


def started_anew(folder: Path, server: servers.PrivateRedis, how: str) -> None:
    notes, log = folder / "notes", folder / "log"
    environ = importing() | {"NOTES": str(notes), "SHIKE_STORE": f"{server.url}?accept=no-aof"}
    command = [sys.executable, "-m", "shike.cli", "up", "tests.fault.move_app:app", "--plain", "--slots", "5"]
    with log.open("ab") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=file, stderr=file)
    try:
        until(lambda: notes.exists() and notes.read_text().count("tick") >= 2, log)
        if how == "restart":
            server.kill()
            server.start()
        else:
            line = line_to(server)
            line.ask("FLUSHALL")
            line.close()
        until(lambda: "came back without what this store held" in log.read_text(), log)
        until(lambda: "starting anew: the store is another one" in log.read_text(), log)
        seen = notes.read_text().count("tick")
        until(lambda: notes.read_text().count("tick") >= seen + 3, log)
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0, log.read_text()[-3_000:]

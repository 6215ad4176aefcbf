"""A fork in the middle of things: a child has connections of its own, and the parent's go on (P1)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import servers
from tests.unit.store.redis_world import LOSSY, namespace

__all__ = ["namespace"]

SECONDS_MAX = 60.0  # nothing here takes so long; it only keeps a broken test from hanging
APP = """
import asyncio, os, sys, threading
from shike import Shike

app = Shike(sys.argv[1], namespace=sys.argv[2])

@app.task(name="t")
async def t(n: int) -> None: ...

def only_this(work):
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)

def count() -> int:
    async def ask() -> int:
        return (await (await app.client.store()).counts()).eligible
    return app.client.sync(app.client.here(ask()))
"""
SYNC = """
from app import *

t.submit(0)
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        only_this(lambda: [t.submit(10 * number + turn) for turn in range(5)])
    children.append(child)
    t.submit(100 + number)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
assert count() == 25, count()
app.client.close_sync()
"""
BUSY = """
from app import *

stop = threading.Event()
stored = []

def busy():
    while not stop.is_set():
        t.submit(len(stored))
        stored.append(1)

thread = threading.Thread(target=busy)
thread.start()
children = []
for number in range(10):
    child = os.fork()
    if child == 0:
        only_this(lambda: t.submit(number))
    children.append(child)
ends = [os.waitpid(child, 0)[1] for child in children]
stop.set()
thread.join()
assert ends == [0] * 10
assert count() == len(stored) + 10, (count(), len(stored))
app.client.close_sync()
"""


@pytest.mark.parametrize("program", [SYNC, BUSY], ids=["quiet", "busy"])
def test_parents_and_children_submit_on(tmp_path: Path, namespace: str, program: str) -> None:
    (tmp_path / "app.py").write_text(APP)
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", program, f"{servers.url('redis')}?{LOSSY}", namespace],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True, text=True, timeout=SECONDS_MAX, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_importing_shike_loads_no_driver() -> None:
    program = "import sys, shike; sys.exit(any(name in sys.modules for name in ('hiredis', 'shike.store.redis')))"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=SECONDS_MAX).returncode == 0


def test_a_missing_driver_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "hiredis.py").write_text("raise ImportError('no module named hiredis')")
    program = """
from shike.clock import SystemClock
from shike.errors import BadStoreURL
from shike.store.opening import open_store
try:
    open_store("redis://a/", namespace="shike", clock=SystemClock())
except BadStoreURL as error:
    assert "pip install 'shike[redis]'" in str(error), error
else:
    raise SystemExit("nothing was said")
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=SECONDS_MAX)

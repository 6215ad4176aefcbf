"""A fork in the middle of things: SQLite keeps locks in memory, so none of it may be carried into a child (P1)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SECONDS_MAX = 60.0  # nothing here takes so long; it only keeps a broken test from hanging
APP = """
import os, threading
from shike import Shike

app = Shike("sqlite:///forked.db?synchronous=normal")

@app.task(name="t")
async def t(n: int) -> None: ...

def count() -> int:
    import sqlite3
    return sqlite3.connect("forked.db").execute("select count(*) from shike_run").fetchone()[0]

t.submit(0)
"""
PARENT_LEAVES = """
from app import *

to_child, to_parent = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    t.submit(1)
    os.write(to_parent[1], b".")
    os.read(to_child[0], 1)
    t.submit(2)
    os._exit(0)
os.read(to_parent[0], 1)
app.client.close_sync()
os.write(to_child[1], b".")
assert os.waitpid(child, 0)[1] == 0
assert count() == 3, count()
t.submit(3)
assert count() == 4, count()
"""
PARENT_IS_BUSY = """
from app import *

stop = threading.Event()

def work() -> None:
    while not stop.is_set():
        t.submit(1)

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        t.submit(2)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("program", [PARENT_LEAVES, PARENT_IS_BUSY], ids=["the parent leaves", "the parent is busy"])
def test_a_forked_child_stores_what_it_accepts_whatever_its_parent_does(tmp_path: Path, program: str) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "program.py").write_text(program)
    ended = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert ended.returncode == 0, ended.stderr

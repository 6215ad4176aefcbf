"""`shike outbox` as it is typed: made, relayed, looked after."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.fault.processes import importing
from tests.unit.cli.conftest import Shell

APP = "sqlite:///app.db"


def ask(statement: str) -> list[Any]:
    with closing(sqlite3.connect("app.db", timeout=20)) as db, db:
        return db.execute(statement).fetchall()


def put(task: str, args: str) -> None:
    ask(f"insert into shike_outbox (task, args) values ('{task}', '{args}')")


@pytest.fixture
def outbox(shop: Path, shell: Shell) -> None:
    """An app with its store, and an outbox with a run that fits and one that does not."""
    assert shell("submit", "mail", "to=me").code == 0  # there is a store
    made = shell("outbox", "create", APP)
    assert made.code == 0 and "shike_outbox is there" in made.out
    put("pay", '{"order": 7}')
    put("pay", '{"order": "seven"}')
    put("dream", "{}")


def test_runs_are_handed_on_and_what_cannot_be_is_listed_retried_and_dropped(outbox: None, shell: Shell) -> None:
    waiting = shell("outbox", "list", APP)
    assert waiting.code == 0 and "3 rows waiting, the first for " in waiting.out
    relayed = shell("outbox", "relay", APP, "--drain")
    assert (relayed.code, relayed.out) == (1, "1 run handed on, 2 set aside\n")
    assert [run["task"] for run in shell("runs", "list", "--task", "pay", "--json").json["runs"]] == ["pay"]
    listed = shell("outbox", "list", APP)
    assert listed.code == 1 and "no task is called 'dream'" in listed.out and "Expected `int`" in listed.out
    rows = shell("outbox", "list", APP, "--json").json["refused"]
    assert [row["task"] for row in rows] == ["pay", "dream"]
    ask("update shike_outbox set args = '{\"order\": 8}' where task = 'pay'")
    assert shell("outbox", "retry", APP, rows[0]["id"]).out == "1 row will be relayed again\n"
    assert shell("outbox", "relay", APP, "--drain", "--json").json == {"handed_on": 1, "refused": 0}
    assert shell("outbox", "drop", APP, "--all", "--json").json == {"count": 1}
    assert shell("outbox", "list", APP).out == "0 rows waiting; 0 set aside\n"


def test_without_the_app_the_worker_finds_out_what_does_not_fit(
    outbox: None, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHIKE_APP")
    relayed = shell("outbox", "relay", APP, "--drain", "--store", "sqlite:///shop.db")
    assert (relayed.code, relayed.out) == (0, "3 runs handed on, 0 set aside\n")


def test_the_sql_is_shown_without_a_database(folder: Path, shell: Shell) -> None:
    for url in (APP, "postgresql://nobody@nowhere/x", "mysql://nobody@nowhere/x"):
        shown = shell("outbox", "create", url, "--show", "--namespace", "mine")
        assert shown.code == 0 and "create table if not exists mine_outbox (" in shown.out
        assert shown.out.endswith("update mine_outbox_relay set step = 1;\n")
    assert not Path("app.db").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["list", "sqlite:///none.db"], 3, "there is no file none.db"),
        (["list", "redis://localhost/0"], 3, "cannot lie in redis://"),
        (["list", "app.db"], 3, "is no URL of a database"),
        (["list", APP], 3, "shike outbox create"),
        (["relay", APP], 3, "shike outbox create"),
        (["list", APP, "--limit", "0"], 2, "between 1 and"),
        (["retry", APP], 2, "ids of rows, or --all"),
        (["retry", APP, "1", "--all"], 2, "ids of rows, or --all"),
        (["drop", APP, "-1"], 2, ""),
        (["drop", APP, "one"], 2, "'one' is no id"),
        (["list", APP, "--store", "sqlite:///shop.db"], 2, "needs no --store"),
        (["create", "postgresql://nobody@127.0.0.1:1/x"], 3, "does not answer"),
        (["create", "mysql://nobody@127.0.0.1:1/x"], 3, "does not answer"),
    ],
)
def test_what_cannot_be_is_said(shop: Path, shell: Shell, words: list[str], code: int, said: str) -> None:
    assert shell("submit", "mail", "to=me").code == 0
    ask("create table orders (id)")
    answer = shell("outbox", *words)
    assert answer.code == code and said in answer.err, answer
    assert "Traceback" not in answer.err


def test_it_goes_on_until_it_is_told_and_gives_its_lease_back(outbox: None, shop: Path) -> None:
    command = [sys.executable, "-m", "shike.cli", "outbox", "relay", APP]
    with subprocess.Popen(command, env=importing(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as relay:
        try:
            end = time.monotonic() + 60
            while ask("select count(*) from shike_outbox where refused_at = 0") != [(0,)]:
                assert time.monotonic() < end and relay.poll() is None
                time.sleep(0.05)
            relay.send_signal(signal.SIGTERM)
            out, _ = relay.communicate(timeout=60)
        finally:
            relay.kill()
    assert out == b"1 run handed on, 2 set aside\n"
    assert ask("select until from shike_outbox_relay") == [(0,)]

"""`shike up` as a process: signals, limits, edits, a crontab, the demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import bounded
from tests.unit.cli.conftest import Shell

SECONDS_MAX = 60.0  # nothing here takes so long; it only keeps a broken test from hanging
SLOW = """
import time
from shike.app import Shike

app = Shike("sqlite:///shop.db?synchronous=normal")

@app.task(name="sleep")
def sleep(seconds: float) -> str:
    print("begun", flush=True)
    time.sleep(seconds)
    return "slept"

@app.task(name="quick")
async def quick() -> int:
    return VALUE

VALUE = 1
app.schedule(quick, every="0.2s")
"""

STUBBORN = """
import asyncio
from shike import Shike

app = Shike("sqlite:///stay.db?synchronous=normal")

@app.task(name="stay", timeout="0.1s")
async def stay() -> None:
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
"""
MOVER = """
import os
from shike import Shike

app = Shike("sqlite:///mover.db?synchronous=normal")

@app.task(name="move")
async def move() -> None:
    os.chdir("/")
    await away.submit()

@app.task(name="away", executor="process")
def away() -> None: ...
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """`start("up", "shop.py")`: the command line as a process of its own, ended at the end of the test."""
    (folder / "shop.py").write_text(SLOW)
    begun = []

    def run(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "shike.cli", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        begun.append(process)
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate(timeout=SECONDS_MAX)


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """The lines up to the one with that word."""
    seen = ""
    with bounded.talking(process) as lines:
        for line in lines:
            seen += line
            if word in line:
                return seen
    raise AssertionError(f"{word!r} never came; there was: {seen}")


def end(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=SECONDS_MAX)[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_politely(start: Start, shell: Shell, number: signal.Signals) -> None:
    run = shell("submit", "sleep", "seconds=0.3", "--app", "shop.py", "--json").json["run"]
    process = start("up", "shop.py")
    read_until(process, "begun")
    process.send_signal(number)
    assert f"{number.name} received" in end(process)
    assert process.returncode == 0
    shown = shell("runs", "show", run, "--store", "sqlite:///shop.db", "--json").json["run"]
    assert (shown["state"], shown["result"]) == ("SUCCESS", "slept")


def test_the_same_signal_heard_twice_is_one_wish(start: Start, shell: Shell) -> None:
    """`make` and `timeout` signal their child and its group."""
    shell("submit", "sleep", "seconds=0.3", "--app", "shop.py")
    process = start("up", "shop.py")
    read_until(process, "begun")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    assert "stopped after" in end(process)
    assert process.returncode == 0


def test_what_a_killed_process_held_is_run_by_the_next_and_nothing_is_lost(start: Start, shell: Shell) -> None:
    store = ("--store", "sqlite:///shop.db")
    run = shell("submit", "sleep", "seconds=30", "--app", "shop.py", "--json").json["run"]
    process = start("up", "shop.py")
    read_until(process, "begun")
    process.kill()
    end(process)
    assert shell("runs", "show", run, *store, "--json").json["run"]["state"] == "RUNNING"
    assert shell("doctor", *store).code == 1
    Path("shop.py").write_text(SLOW.replace("time.sleep(seconds)", "pass"))
    assert shell("up", "shop.py", "--drain", "--plain").code == 0
    shown = shell("runs", "show", run, *store, "--json").json
    assert (shown["run"]["state"], shown["run"]["attempts"]) == ("SUCCESS", 1)
    assert shell("audit", "--from", "1h ago", *store).code == 0


def test_after_so_many_runs_it_starts_anew_as_the_same_process(start: Start) -> None:
    process = start("up", "shop.py", "--max-runs", "3")
    read_until(process, "starting anew")
    again = read_until(process, "shike up")
    assert "stopped after" in again
    process.terminate()
    end(process)
    assert process.returncode == 0


def test_an_edit_starts_it_anew_with_the_new_code(start: Start, shell: Shell) -> None:
    process = start("up", "shop.py", "--reload")
    read_until(process, "shike up")
    edited = Path("shop.py")
    edited.write_text(SLOW.replace("VALUE = 1", "VALUE = 22"))
    os.utime(edited, ns=(1, 1))
    assert "shop.py changed" in read_until(process, "starting anew")
    read_until(process, "shike up")
    wait = ("submit", "quick", "--app", "shop.py", "--wait", f"{SECONDS_MAX}s", "--json")
    assert shell(*wait).json["result"] == 22
    process.terminate()
    end(process)


def test_a_half_done_edit_is_told_and_the_next_one_waited_for(start: Start) -> None:
    process = start("up", "shop.py", "--reload")
    read_until(process, "shike up")
    Path("shop.py").write_text(SLOW + "\nx = (")
    assert "SyntaxError" in read_until(process, "waiting for an edit")
    Path("shop.py").write_text(SLOW + "\nx = ()")
    read_until(process, "shike up")
    process.terminate()
    end(process)
    assert process.returncode == 0


def test_a_slip_in_a_queues_name_is_told(start: Start) -> None:
    process = start("worker", "shop.py", "--queues", "defualt:5", "--drain")
    assert "nothing in the app names queue defualt; it has: default" in end(process)


def test_a_failed_run_that_was_waited_for_is_one_document_too(start: Start, shell: Shell) -> None:
    process = start("up", "shop.py")
    read_until(process, "shike up")
    answer = shell("submit", "sleep", "seconds=-1", "--app", "shop.py", "--wait", f"{SECONDS_MAX}s", "--json")
    assert answer.code == 1
    assert answer.json["state"] == "DEAD" and answer.json["run"] and "ValueError" in answer.json["reason"]
    process.terminate()
    end(process)


def test_scheduler_and_worker_may_be_two_processes(start: Start, shell: Shell) -> None:
    scheduler, worker = start("scheduler", "shop.py"), start("worker", "shop.py")
    read_until(scheduler, "shike scheduler")
    read_until(worker, "shike worker")
    answer = shell("submit", "sleep", "seconds=0", "--app", "shop.py", "--wait", f"{SECONDS_MAX}s", "--json").json
    assert answer["result"] == "slept"
    for process in (scheduler, worker):
        process.terminate()
        end(process)
        assert process.returncode == 0


def test_log_and_status_can_be_json(start: Start) -> None:
    process = start("up", "shop.py", "--json")
    line = read_until(process, "shike up").splitlines()[-1]
    assert json.loads(line)["logger"] == "shike"
    process.terminate()
    assert all(json.loads(one) for one in end(process).splitlines())


def test_a_crontab_runs_with_history(start: Start, shell: Shell, folder: Path) -> None:
    """Only its @reboot line is due within the test; a bad line is named and spoils nothing."""
    (folder / "tab").write_text(
        "SHELL=/bin/bash\nGREETING=hello\n"
        '@reboot echo "$GREETING $LOGNAME"; cat%one%two\n'
        "@reboot exit 3\n"
        "0 0 1 1 * true\n"
        "61 * * * * true\n"
    )
    process = start("crontab", "tab", "--drain")
    told = end(process)
    assert "tab:6: minute '61'" in told
    assert process.returncode == 0
    store = ("--store", "sqlite:///shike.db")
    found = {run["state"]: run["id"] for run in shell("runs", "list", *store, "--json").json["runs"]}
    result = shell("runs", "show", found["SUCCESS"], *store, "--json").json["run"]["result"]
    assert result["stdout"].startswith("hello ") and result["stdout"].endswith("one\ntwo\n")
    assert "exit status 3" in shell("dead", "list", *store).out
    (schedule,) = shell("schedules", "list", *store, "--json").json["schedules"]
    assert (schedule["overlap"], schedule["misfire"]) == ("skip", "skip")


def test_a_line_that_is_gone_from_the_crontab_is_not_planned_any_more(start: Start, shell: Shell, folder: Path) -> None:
    store = ("--store", "sqlite:///shike.db")
    for lines, count in (("@yearly one\n@yearly two\n", 2), ("@monthly two\n", 1)):
        (folder / "tab").write_text(lines)
        end(start("crontab", "tab", "--drain"))
        assert len(shell("schedules", "list", *store, "--json").json["schedules"]) == count


def test_settings_of_an_app_do_not_keep_a_crontab_from_running(start: Start, folder: Path) -> None:
    (folder / "tab").write_text("@reboot true\n")
    (folder / "shike.toml").write_text('app = "shop.py"\nqueues = ["mail"]\n')
    told = end(start("crontab", "tab", "--drain"))
    assert "shike up · crontab" in told and "1 success" in told


def test_a_crontab_can_be_looked_at_without_running_it(shell: Shell, folder: Path) -> None:
    (folder / "tab").write_text("0 9 * * mon-fri nobody true\n@reboot nobody true\n* * * nobody\n")
    listed = shell("crontab", "tab", "--system", "--list", "--tz", "Asia/Shanghai")
    assert listed.code == 1
    assert "every weekday at 09:00, Asia/Shanghai" in listed.out and "once per boot" in listed.out
    assert "tab:3:" in listed.err
    checked = shell("crontab", "tab", "--system", "--dry-run", "--json")
    assert [len(checked.json[key]) for key in ("entries", "problems")] == [2, 1]
    assert not list(folder.glob("*.db"))


def test_the_demo_has_something_to_show_and_stops_cleanly(start: Start, shell: Shell) -> None:
    process = start("up", "shike.demo:app")
    read_until(process, "done ")
    process.terminate()
    assert "stopped after" in end(process)
    assert process.returncode == 0
    runs = shell("runs", "list", "--store", "sqlite:///shike-demo.db", "--limit", "500", "--ahead", "--json").json[
        "runs"
    ]
    assert {"orders.arrive", "report.sales", "prices.fetch", "stock.count"} <= {run["task"] for run in runs}
    assert shell("audit", "--from", "1h ago", "--store", "sqlite:///shike-demo.db").code == 0


@pytest.mark.slow
def test_a_handler_that_will_not_stop_does_not_keep_the_process_from_ending(
    folder: Path, start: Start, shell: Shell
) -> None:
    (folder / "stubborn.py").write_text(STUBBORN)
    assert shell("submit", "stay", "--app", "stubborn.py").code == 0
    process = start("up", "stubborn.py", "--plain", "--drain")
    assert "leaving it behind" in end(process)
    assert process.returncode == os.EX_OK


def test_a_handler_that_changes_the_folder_changes_neither_the_store_nor_what_children_import(
    folder: Path, start: Start, shell: Shell
) -> None:
    (folder / "mover.py").write_text(MOVER)
    assert shell("submit", "move", "--app", "mover.py").code == 0
    out = end(start("up", "mover.py", "--plain", "--drain"))
    assert "2 success" in out
    assert shell("runs", "list", "--store", "sqlite:///mover.db", "--state", "success", "--json").out.count('"id"') == 2

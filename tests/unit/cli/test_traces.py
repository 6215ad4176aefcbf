"""What `runs show`, `runs follow`, `dead groups` and the log say of a run's trace (R2.9)."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shike.cli.waterfall import LINES_MAX, draw
from shike.operate.autopsy import Cause, Trace
from shike.operate.waterfall import Bar, Kind, Status
from tests import bounded
from tests.unit.cli.conftest import Shell

WORK = """
import logging, time
from shike import Backoff, Shike, current, step, traced

app = Shike("sqlite:///work.db?synchronous=normal")
log = logging.getLogger("shop")
log.setLevel(logging.INFO)

@traced
def check(order: int) -> None:
    if order < 0:
        raise ValueError(f"order {order} is negative")

@app.task(name="pay", retry=Backoff(attempts=2, base_seconds=0.01))
async def pay(order: int) -> str:
    log.info("order %d is looked at", order)
    with step("look"):
        check(order)
    return "paid"

@app.task(name="child", executor="process")
def child(order: int) -> str:
    log.info("order %d in a process", order)
    with step("there"):
        check(order)
    return "paid"

@app.task(name="loud", retry=1)
async def loud(word: str) -> str:
    log.info("he says %s", word)
    with step(word), step("读取" * 20):
        raise ValueError(word)
"""


@pytest.fixture
def work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder / "work.py").write_text(WORK)
    monkeypatch.setenv("SHIKE_APP", "work.py")
    return folder


def submitted(shell: Shell, *words: str) -> str:
    return str(shell("submit", *words, "--json").json["run"])


def test_a_run_shows_its_waterfall_its_steps_and_its_log(shell: Shell, work: Path) -> None:
    run = submitted(shell, "pay", "order=5")
    shell("up", "--drain", "--plain")
    answer = shell("runs", "show", run)
    assert answer.code == 0
    lines = answer.out.splitlines()
    (attempt,) = [line for line in lines if line.startswith("attempt 1")]
    assert "█" in attempt and attempt.endswith("success")
    assert any(line.startswith("  look") and "▓" in line for line in lines)
    assert any(line.startswith("    check") for line in lines)
    assert any(line.endswith("info: order 5 is looked at") for line in lines)
    told = shell("runs", "show", run, "--json").json
    assert [point["step"] for point in told["trace"]["points"]][:2] == ["submitted", "due"]
    assert told["failures"] == [] and told["trace"]["why"]


def test_a_childs_steps_log_and_failure_come_from_its_process(shell: Shell, work: Path) -> None:
    run = submitted(shell, "child", "order=-5")
    shell("up", "--drain", "--plain")
    told = shell("runs", "show", run, "--json").json
    (failure,) = told["failures"]
    assert failure["chain"][0]["kind"] == "ValueError" and failure["arguments"] == {"order": -5}
    assert [line["text"] for line in failure["log"]] == ["order -5 in a process"]
    assert {"step there", "step check"} <= {point["step"] for point in told["trace"]["points"]}


def test_dead_letters_are_grouped_replayed_and_dropped_by_fingerprint(shell: Shell, work: Path) -> None:
    runs = [submitted(shell, "pay", f"order=-{number}") for number in (1, 2, 3)]
    other = submitted(shell, "child", "order=-1")
    shell("up", "--drain", "--plain")
    answer = shell("dead", "groups")
    assert answer.code == 1 and "work.py:" in answer.out and "check" in answer.out
    groups = shell("dead", "groups", "--json").json["groups"]
    assert [(group["count"], group["tasks"]) for group in groups] == [(3, ["pay"]), (1, ["child"])]
    assert sorted(groups[0]["newest"]) == sorted(runs) and groups[1]["newest"] == [other]
    replayed = shell("dead", "replay", "--group", groups[0]["fingerprint"], "--json").json
    assert sorted(replayed["replayed"]) == sorted(runs)
    assert [group["waiting"] for group in shell("dead", "groups", "--json").json["groups"]] == [0, 1]
    assert shell("dead", "drop", "--group", groups[1]["fingerprint"]).out == "1 dead letter dropped\n"
    assert shell("dead", "drop", "--group", "nothing").code == 2
    assert shell("dead", "groups", "--task", "child").code == 0


def test_a_run_is_followed_with_what_it_logs(shell: Shell, work: Path) -> None:
    run = submitted(shell, "pay", "order=5")
    shell("up", "--drain", "--plain")
    answer = shell("runs", "follow", run)
    assert answer.code == 0
    assert answer.out.splitlines()[0].endswith("info: order 5 is looked at") and "SUCCESS" in answer.out


def test_the_structured_log_of_a_worker_names_run_attempt_and_task(shell: Shell, work: Path) -> None:
    run = submitted(shell, "pay", "order=5")
    command = [sys.executable, "-m", "shike.cli", "up", "--drain", "--plain", "--log-format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=bounded.CROWD_SECONDS, cwd=work)
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    (said,) = [line for line in lines if line["message"] == "order 5 is looked at"]
    assert (said["run_id"], said["attempt"], said["task"], said["level"]) == (run, 1, "pay", "info")


def test_a_worker_answers_prometheus_where_it_is_told_to(shell: Shell, work: Path) -> None:
    command = [sys.executable, "-m", "shike.cli", "up", "--plain", "--no-server", "--metrics-port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=work)
    try:
        assert process.stderr is not None
        end, said = time.monotonic() + bounded.CROWD_SECONDS, ""
        while "figures for Prometheus" not in said:
            assert time.monotonic() < end and process.poll() is None
            said = process.stderr.readline()
        port = int(said.split(":")[-1].partition("/")[0])
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=bounded.SECONDS)
        client.request("GET", "/metrics")
        assert b"shike_process_slots 100" in client.getresponse().read()
        client.close()
    finally:
        process.terminate()
        process.communicate(timeout=bounded.CROWD_SECONDS)


def bar(start: int, end: int, **more: object) -> Bar:
    known: dict[str, object] = {"kind": Kind.RUN, "label": "attempt 1", "status": Status.OK}
    return Bar(start=start, end=end, **(known | more))  # type: ignore[arg-type]


def test_bars_lie_within_the_picture_and_none_is_too_short_to_see() -> None:
    bars = (bar(0, 1_000_000, kind=Kind.WAIT, cause=Cause.BUSY, words="busy"), bar(1_000_000, 1_000_001))
    trace = Trace(run="1", task="t", state="SUCCESS", due_at=0, late_micros=1, why="late", points=(), bars=bars)
    why, first, second = (line.plain for line in draw(trace, 80))
    assert why == "late" and first.count("░") + second.count("█") <= 27
    assert first.index("░") < second.index("█") and len(first) <= 80
    narrow = [line.plain for line in draw(trace, 20)]
    assert all("░" in line or "█" in line for line in narrow[1:])


def test_a_thousand_steps_are_cut_short_and_none_at_all_are_no_picture() -> None:
    many = tuple(bar(number, number + 1) for number in range(1_000))
    trace = Trace(run="1", task="t", state="SUCCESS", due_at=0, late_micros=1, why="late", points=(), bars=many)
    lines = [line.plain for line in draw(trace, 80)]
    assert len(lines) == LINES_MAX + 2 and lines[-1] == "… and 800 more"
    none = Trace(run="1", task="t", state="SUCCESS", due_at=0, late_micros=1, why="late", points=(), bars=())
    assert len(list(draw(none, 80))) == 1


def test_what_a_run_says_does_not_steer_the_terminal(shell: Shell, work: Path) -> None:
    run = submitted(shell, "loud", "word=\x1b]0;mine\x07\x1b[2J\u202eevil\nline")
    assert shell("up", "--plain", "--drain").code == 0
    told = [shell("runs", "show", run), shell("runs", "list"), shell("dead", "list"), shell("dead", "groups")]
    told += [shell("runs", "follow", run), shell("explain", run)]
    for answer in told:
        for sign in "\x1b\x07\u202e":
            assert sign not in answer.out + answer.err
    lines = told[0].out.splitlines()
    assert "\\x1b[2J\\u202eevil line" in told[0].out
    (step,) = [line for line in lines if line.startswith("    读取读取")]
    assert step.startswith(f"    {'读取' * 6}") and "读取" * 7 not in step, "as wide as its column, on the screen"


def test_steps_that_lie_deep_are_still_to_be_read() -> None:
    bars = [
        Bar(kind=Kind.STEP, label=f"s{depth}", start=0, end=9, status=Status.OK, depth=depth) for depth in range(99)
    ]
    trace = Trace(
        run="1", task="t", state="SUCCESS", due_at=0, late_micros=0, why="on time", points=(), bars=tuple(bars)
    )
    assert all(f"s{depth} " in str(line) for depth, line in enumerate(list(draw(trace, 80))[1:]))

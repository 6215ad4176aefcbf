"""Bad usage and bad input: one clear sentence, a stable exit code, nothing stored, no traceback."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from shike.cli.times import when
from shike.errors import BadTime
from tests.unit.cli.conftest import Shell

HASTY = """from shike import Shike
app = Shike()
@app.task
def report(day: str) -> None: ...

app.schedule(report, cron="0 9 * * *")
"""


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("frobnicate",), 2, "frobnicate"),
        (("runs", "list", "--limit", "x"), 2, "--limit"),
        (("runs", "list", "--limit", "0"), 2, "between 1 and"),
        (("runs", "show"), 2, "RUN"),
        (("runs", "show", "x"), 2, "no run id"),
        (("runs", "list"), 3, "no store at shike.db yet"),
        (("runs", "list", "--store", "memory://"), 3, "inside one process"),
        (("submit", "pay", "order=1", "--app", "shop.py", "--store", "memory://"), 3, "inside one process"),
        (("runs", "list", "--store", "oracle://x"), 3, "oracle"),
        (("runs", "list", "--store", "shike.db"), 3, "not a store URL"),
        (("dead", "replay"), 2, "say which"),
        (("dead", "drop", "5", "--all"), 2, "say which"),
        (("up",), 2, "which app?"),
        (("up", "hasty.py"), 2, "give its arguments: app.schedule(task.bind(…), …) (hasty.py, line 6)"),
        (("up", "nowhere:app"), 2, "'nowhere' does not import: ModuleNotFoundError"),
        (("up", "gone.py"), 2, "no file 'gone.py'"),
        (("up", "shop.py", "--queues", "mail:many"), 2, "--queues"),
        (("up", "shop.py", "--queues", "mail:0"), 2, "a limit is at least 1"),
        (("up", "shop.py", "--max-runs", "-1"), 2, "max_runs = -1: a limit cannot be negative"),
        (("up", "shop.py", "--slots", "0"), 2, "--slots: slots = 0"),
        (("up", "shop.py", "--max-rss", "lots"), 2, "no size"),
        (("submit", "pay", "order=5"), 2, "which app?"),
        (("schedules", "backfill", "x", "--from", "noon", "--to", "now"), 2, "no time"),
        (("crontab",), 2, "which crontab?"),
        (("crontab", "gone"), 2, "cannot be read"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(shell: Shell, words: tuple[str, ...], code: int, sentence: str) -> None:
    from tests.unit.cli.conftest import SHOP

    Path("shop.py").write_text(SHOP)
    Path("hasty.py").write_text(HASTY)
    answer = shell(*words)
    assert answer.code == code
    assert answer.out == ""
    assert answer.err.startswith("shike: ") and answer.err.count("\n") == 1
    assert sentence in answer.err
    assert not list(Path().glob("*.db*")), "nothing may be stored, no empty store be made"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("mail",), "missing a required argument: 'to'"),
        (("pay", "order=many"), "Expected `int`"),
        (("pay", "order=5", "colour=red"), "unexpected keyword argument 'colour'"),
        (("pay", "--args", "{order: 5}"), "--args is not JSON"),
        (("pay", "--args", "5"), "--args is a JSON object"),
        (("pay", "order"), "'order' is no argument"),
        (("pay", "order=1", "order=2"), "given twice"),
        (("pai", "order=1"), "pay"),
        (("pay", "order=1", "--at", "2001-01-01"), "past"),
        (("pay", "order=1", "--in=-5s"), "negative"),
        (("pay", "order=1", "--at", "now", "--in", "5s"), "exclude each other"),
        (("pay", "order=1", "--band", "8"), "band"),
        (("pay", "note=\ud800", "order=1"), "JSON"),
        (("pay", "order=1", "--wait", "soon"), "length of time"),
        (("pay", "order=1", "--key", ""), "a business key is a text that is not empty"),
        (("pay", "order=1", "--queue", ""), "a queue needs a name"),
    ],
)
def test_what_does_not_fit_a_task_is_refused_at_submit(
    shell: Shell, shop: Path, words: tuple[str, ...], sentence: str
) -> None:
    answer = shell("submit", *words)
    assert answer.code == 2
    assert sentence in answer.err
    assert shell("submit", "pay", "order=1").code == 0
    assert len(shell("runs", "list", "--json").json["runs"]) == 1


def test_an_app_that_breaks_while_it_is_imported_says_why(shell: Shell, folder: Path) -> None:
    (folder / "broken.py").write_text("raise SystemExit('no database')")
    assert "SystemExit: no database" in shell("up", "broken.py").err
    (folder / "other.py").write_text("app = 5")
    assert "is a int, not a Shike app" in shell("up", "other.py").err
    (folder / "empty.py").write_text("")
    assert "has no 'app'" in shell("up", "empty.py").err


def test_a_file_of_another_program_is_left_alone(shell: Shell, folder: Path) -> None:
    with sqlite3.connect(folder / "photos.db") as connection:
        connection.execute("create table photos (name)")
    connection.close()
    answer = shell("runs", "list", "--store", "sqlite:///photos.db")
    assert answer.code == 3
    assert "another program" in answer.err
    (folder / "noise.db").write_bytes(b"x" * 5000)
    assert shell("runs", "list", "--store", "sqlite:///noise.db").code == 3


def test_the_doctor_tells_of_a_file_that_cannot_be_looked_through(shell: Shell, shop: Path) -> None:
    for order in range(9):
        shell("submit", "pay", f"order={order}", "--in", "1h")
    with closing(sqlite3.connect(shop / "shop.db")) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    with (shop / "shop.db").open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 6 * 4096)
    answer = shell("doctor")
    assert answer.code in (1, 3)
    assert "damaged" in answer.out + answer.err and "malformed" in answer.out + answer.err


def test_debug_adds_the_traceback(shell: Shell) -> None:
    assert "Traceback" in shell("runs", "show", "x", "--debug").err


def test_a_failed_wait_is_exit_code_one(shell: Shell, shop: Path) -> None:
    answer = shell("submit", "pay", "order=1", "--wait", "0.01s")
    assert answer.code == 1
    assert "it goes on" in answer.err
    told = shell("submit", "pay", "order=1", "--wait", "0.01s", "--json")
    assert (told.code, told.json["fresh"]) == (1, True)
    assert "it goes on" in told.json["reason"]


def test_an_audit_of_a_schedule_that_is_not_there_proves_nothing(shell: Shell, shop: Path) -> None:
    shell("up", "--drain", "--plain")
    answer = shell("audit", "--only", "mial")
    assert answer.code == 2
    assert "no schedule 'default/mial'; did you mean default/mail?" in answer.err
    shell("schedules", "delete", "mail")
    assert shell("audit", "--only", "mail").code == 0


def test_a_schedule_that_is_looked_for_in_the_wrong_group_is_told_with_its_group(shell: Shell, shop: Path) -> None:
    with (shop / "shop.py").open("a") as file:
        file.write("app.schedule(pay.bind(order=1), cron='0 7 * * *', name='tick', group='night')\n")
    shell("up", "--drain", "--plain")
    assert "no schedule 'default/tick'; did you mean night/tick?" in shell("schedules", "next", "tick").err
    assert "did you mean default/mail?" in shell("schedules", "next", "mial").err


def test_the_version_needs_no_package_of_the_command_line() -> None:
    code = (
        "import sys; sys.modules['cyclopts'] = None; sys.modules['rich'] = None\n"
        "from shike.cli import main\n"
        "print(main(['--version']), main(['runs', 'list']))\n"
        "assert 'shike.store' not in sys.modules and 'asyncio' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "0 2", done.stderr
    assert "pip install 'shike[cli]'" in done.stderr


@pytest.mark.parametrize("text", ["noon", "", "25:00", "2026-13-01", "in -5m", "ago", "5"])
def test_what_is_no_time_is_refused(text: str) -> None:
    from shike.errors import BadInput

    with pytest.raises((BadTime, BadInput)):
        when(text)

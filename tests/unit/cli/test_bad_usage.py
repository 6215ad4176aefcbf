"""Bad usage and bad input: one clear sentence, a stable exit code, nothing stored, no traceback."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from shike.cli.times import when
from shike.errors import BadTime
from tests.unit.cli.conftest import Shell


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
        (("runs", "list", "--store", "oracle://x"), 3, "oracle"),
        (("runs", "list", "--store", "shike.db"), 3, "not a store URL"),
        (("dead", "replay"), 2, "say which"),
        (("dead", "drop", "5", "--all"), 2, "say which"),
        (("up",), 2, "which app?"),
        (("up", "nowhere:app"), 2, "'nowhere' does not import: ModuleNotFoundError"),
        (("up", "gone.py"), 2, "no file 'gone.py'"),
        (("up", "shop.py", "--queues", "mail:many"), 2, "--queues"),
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


def test_debug_adds_the_traceback(shell: Shell) -> None:
    assert "Traceback" in shell("runs", "show", "x", "--debug").err


def test_a_failed_wait_is_exit_code_one(shell: Shell, shop: Path) -> None:
    answer = shell("submit", "pay", "order=1", "--wait", "0.01s")
    assert answer.code == 1
    assert "it goes on" in answer.err


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

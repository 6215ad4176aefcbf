"""Finding an app by its name on the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shike.errors import ImportFailed
from shike.worker.load import load_app, tasks_of


@pytest.fixture(autouse=True)
def clean_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "neighbour_of_jobs.py").write_text("value = 7")
    (tmp_path / "jobs_under_test.py").write_text(
        "from neighbour_of_jobs import value\nclass box: nightly = value + 1\napp = value\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("path", "value"),
    [("jobs_under_test.py", 7), ("jobs_under_test.py:app", 7), ("./jobs_under_test.py:box.nightly", 8)],
)
def test_a_file_is_imported_with_its_neighbours_in_reach(folder: Path, path: str, value: int) -> None:
    assert load_app(path) == value


@pytest.mark.parametrize(("path", "value"), [("jobs_under_test", 7), ("jobs_under_test:box.nightly", 8)])
def test_a_module_is_imported_by_its_dotted_name(folder: Path, path: str, value: int) -> None:
    sys.path.insert(0, str(folder))
    assert load_app(path) == value


def test_a_file_is_imported_once(folder: Path) -> None:
    assert load_app("jobs_under_test.py:box") is load_app("jobs_under_test.py:box")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "names no module"),
        (":app", "names no module"),
        ("no_such_module_at_all:app", "No module named"),
        ("missing.py", "no file"),
        ("jobs_under_test.py:works", "has no 'works'; nothing in it is a Shike app"),
        ("shop_under_test.py", "has no 'app'; name the app, as in shop_under_test.py:shop or shop_under_test.py:bar"),
        ("jobs_under_test.py:box.daily", "has no 'box.daily'"),
        ("syntax.py", "SyntaxError"),
        ("exits.py", "SystemExit"),
    ],
)
def test_what_cannot_be_loaded_is_an_import_failure_that_says_why(folder: Path, path: str, words: str) -> None:
    (folder / "syntax.py").write_text("def (:")
    (folder / "shop_under_test.py").write_text("from shike import Shike\nshop = Shike()\nbar = Shike()")
    (folder / "exits.py").write_text("raise SystemExit(3)")
    with pytest.raises(ImportFailed, match=words):
        load_app(path)


def test_a_file_that_failed_is_imported_anew_when_it_was_mended(folder: Path) -> None:
    (folder / "mended.py").write_text("app = 1 / 0")
    with pytest.raises(ImportFailed, match="ZeroDivisionError") as caught:
        load_app("mended.py")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    (folder / "mended.py").write_text("app = 'mended at last'")
    assert load_app("mended.py") == "mended at last"


@pytest.mark.parametrize("error", ["SystemExit(4)", "BaseException('odd')"])
def test_whatever_a_module_raises_is_told_as_a_failed_import(folder: Path, error: str) -> None:
    (folder / "odd.py").write_text(f"raise {error}")
    with pytest.raises(ImportFailed, match=f"{error.partition('(')[0]}: .*odd.py, line 1"):
        load_app("odd.py")


def test_ctrl_c_in_a_slow_import_stays_ctrl_c(folder: Path) -> None:
    (folder / "slow.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_app("slow.py")


def test_what_is_not_an_app_is_refused() -> None:
    with pytest.raises(ImportFailed, match="'x:y' is a int, not a Shike app"):
        tasks_of(3, "x:y")

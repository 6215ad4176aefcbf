"""Which build of the default structure runs, and that nothing happens where there is only one (R0.4)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.timer.builds import COMPILED, WHY_NOT

from shike.errors import BadSetting
from shike.settings import load
from shike.timer import build, timer_queue
from shike.timer.calendar import CalendarQueue
from shike.timer.native import compile as compiling

needs_compiled = pytest.mark.skipif(COMPILED is None, reason=WHY_NOT)


@pytest.fixture(autouse=True)
def chosen_anew() -> Iterator[None]:
    build.build.cache_clear()
    yield
    build.build.cache_clear()


@pytest.fixture
def nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "shike.timer.native._calendar", None)
    monkeypatch.delitem(sys.modules, "shike.timer.compiled", raising=False)
    build.compiled.cache_clear()
    yield
    build.compiled.cache_clear()


def test_both_builds_are_tested_here() -> None:
    """Without the compiled one half of these tests are missing: that is said, and on a CI machine it is an error."""
    if COMPILED is None and os.environ.get("CI") == "true":
        pytest.fail(f"the compiled build is not tested: {WHY_NOT}")
    if COMPILED is None:
        pytest.skip(f"THE COMPILED BUILD IS NOT TESTED: {WHY_NOT} (or: make compiled)")


@needs_compiled
def test_the_compiled_build_runs_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(build.VARIABLE, raising=False)
    assert build.build() == (COMPILED, "compiled", "")
    assert type(timer_queue()) is COMPILED


def test_the_environment_forces_pure_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIKE_TIMER", "pure")
    assert build.build() == (CalendarQueue, "pure Python", "SHIKE_TIMER=pure says so")
    assert type(timer_queue()) is CalendarQueue


@pytest.mark.usefixtures("nothing_compiled")
def test_where_nothing_is_compiled_pure_python_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHIKE_TIMER", raising=False)
    make, name, why = build.build()
    assert (make, name) == (CalendarQueue, "pure Python")
    assert "python -m shike.timer.native.compile" in why


@pytest.mark.usefixtures("nothing_compiled")
def test_who_insists_on_the_compiled_build_is_told_that_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIKE_TIMER", "compiled")
    with pytest.raises(BadSetting, match="nothing is compiled; `python -m"):
        timer_queue()


def test_a_slip_of_the_pen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIKE_TIMER", "Pure")
    with pytest.raises(BadSetting, match="'Pure'; choose one of: auto, pure, compiled"):
        timer_queue()


@needs_compiled
def test_a_build_of_other_sources_is_no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    build.compiled.cache_clear()
    monkeypatch.setattr(build, "checksum", lambda: 1)
    make, why = build.compiled()
    build.compiled.cache_clear()
    assert make is None
    assert "of other sources" in why


def test_an_interpreter_without_a_lock_gets_pure_python(monkeypatch: pytest.MonkeyPatch) -> None:
    build.compiled.cache_clear()
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    make, why = build.compiled()
    build.compiled.cache_clear()
    assert (make, why) == (None, "the compiled one needs an interpreter with a GIL")


def test_without_a_compiler_there_is_a_sentence_and_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(compiling.NotCompiled, match="no C compiler 'no-such-compiler'"):
        compiling.compile_calendar(tmp_path)
    assert compiling.main() == 1
    assert "not compiled: there is no C compiler" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
def test_what_cannot_be_compiled_leaves_the_old_build_alone(tmp_path: Path) -> None:
    old = tmp_path / "_calendar.so"
    old.write_text("old")
    with pytest.raises(compiling.NotCompiled, match="no-such-flag"):
        compiling.compile_calendar(tmp_path, ["-fno-such-flag"])
    assert [path.name for path in tmp_path.iterdir()] == ["_calendar.so"]


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
@pytest.mark.slow
def test_the_sources_compile_without_a_warning(tmp_path: Path) -> None:
    made = compiling.compile_calendar(
        tmp_path, [*compiling.FLAGS, "-Werror", "-Wshadow", "-Wstrict-prototypes", "-Wundef"]
    )
    assert list(tmp_path.iterdir()) == [made]


def test_importing_the_timers_compiles_and_loads_nothing_native() -> None:
    program = "import shike, sys; print([name for name in sys.modules if '_calendar' in name or 'native' in name])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_variable_is_none_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(environ={"SHIKE_TIMER": "pure"}).settings == load(environ={}).settings

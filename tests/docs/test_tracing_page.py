"""docs/tracing.md is true: its blocks are a program that runs, its tables name what there is (R2.9, R3.12)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shike import bounds, export
from shike.events import NAMES
from shike.operate.autopsy import Cause
from shike.track.failures import OWN_FRAMES_MAX

PAGE = Path(__file__).parents[2] / "docs" / "tracing.md"
TEXT = PAGE.read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
LINE = " ".join(TEXT.split())


def test_the_program_of_the_page_runs_and_prints_what_it_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(CODE):
        file = tmp_path / f"block_{number}.py"  # so that a failure knows its source lines
        file.write_text(block, encoding="utf-8")
        exec(compile(block, str(file), "exec"), namespace)  # noqa: S102 - it is our own page
    printed = capsys.readouterr().out.splitlines()
    said = re.findall(r"print\(.*\)  # (.*)", "".join(CODE))
    assert printed == said and len(said) == 7


def test_every_event_is_on_the_page() -> None:
    assert [name for name in NAMES if f"`{name}`" not in TEXT] == []


def test_every_cause_is_on_the_page_but_those_that_explain_nothing() -> None:
    untold = {Cause.PICKED_UP, Cause.AHEAD}
    assert [cause for cause in Cause if cause not in untold and f"`{cause}`" not in TEXT] == []


def test_every_exporter_is_on_the_page() -> None:
    assert all(name in TEXT.lower() for name in export.names())


def test_the_bounds_of_the_page_are_those_of_the_code() -> None:
    assert f"| steps of an attempt | {bounds.STEPS_MAX:,} |" in TEXT
    assert f"| characters of a step's name | {bounds.STEP_NAME_CHARS_MAX} |" in TEXT
    kib = bounds.LOG_TAIL_BYTES // 1024
    assert f"| {bounds.LOG_TAIL_LINES}, at most {kib} KiB |" in TEXT
    assert f"with each beat | {bounds.LOG_LIVE_BYTES // 1024} KiB |" in TEXT
    assert f"the chain of exceptions ({bounds.FAULTS_MAX}), the innermost {bounds.FRAMES_MAX} frames" in LINE
    assert f"keeps its last {bounds.LOG_SUCCESS_LINES} lines" in LINE
    assert f"({bounds.LISTENER_CALLS_MAX:,} events)" in LINE and f"{bounds.LISTENER_SECONDS:g} s, is logged" in LINE
    assert OWN_FRAMES_MAX == 3 and "three innermost calls" in LINE

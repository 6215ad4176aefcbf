"""The type checker knows what a task takes and gives (`tests/typing`)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import bounded

ROOT = Path(__file__).parents[2]
RIGHT = Path("tests/typing/right.py")
WRONG = Path("tests/typing/wrong.py")


@pytest.fixture(scope="module")
def complaints() -> dict[str, list[tuple[int, str]]]:
    """Line and code of each error, by file: both files in one go."""
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--hide-error-context", str(RIGHT), str(WRONG)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=bounded.CROWD_SECONDS,
    )
    assert not checked.stderr, checked.stderr
    found: dict[str, list[tuple[int, str]]] = {}
    for file, line, code in re.findall(r"^(.+?):(\d+): error: .*\[([a-z-]+)\]$", checked.stdout, re.MULTILINE):
        found.setdefault(Path(file).name, []).append((int(line), code))
    return found


def test_what_is_right_is_understood(complaints: dict[str, list[tuple[int, str]]]) -> None:
    assert complaints.get(RIGHT.name, []) == []


def test_what_is_wrong_is_refused_on_its_line_and_nowhere_else(complaints: dict[str, list[tuple[int, str]]]) -> None:
    lines = (ROOT / WRONG).read_text(encoding="utf-8").splitlines()
    marked = [(number, line.partition("# wrong: ")[2]) for number, line in enumerate(lines, 1) if "# wrong: " in line]
    refused = complaints.get(WRONG.name, [])
    assert len(marked) >= 15
    assert [mark for mark in marked if mark not in refused] == []
    assert {line for line, _ in refused} == {line for line, _ in marked}

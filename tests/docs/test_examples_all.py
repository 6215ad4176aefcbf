"""What holds for every program in `examples/`: tested, listed, short, typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import bounded

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
TESTS = Path(__file__).with_name("test_examples.py")


def test_every_example_has_a_test() -> None:
    text = TESTS.read_text(encoding="utf-8")
    assert [name for name in NAMES if f'example("{name}")' not in text] == []
    assert len(NAMES) >= 17


def test_every_example_is_in_the_list_that_a_newcomer_reads() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"({name}.py)" not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_short_and_says_how_to_run_it(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert 30 <= text.count("\n") <= 110
    head = text.split('"""')[1]
    assert "shike up" in head and f"examples/{name}.py" in head


def test_every_example_is_typed() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *(str(EXAMPLES / f"{name}.py") for name in NAMES)],
        capture_output=True,
        text=True,
        cwd=EXAMPLES.parent,
        check=False,
        timeout=bounded.CROWD_SECONDS,
    )
    assert checked.returncode == 0, checked.stdout

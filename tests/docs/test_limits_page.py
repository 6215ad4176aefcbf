"""docs/limits.md is true: its blocks are a program that runs, and what it says of kinds and bounds is so (R0.9)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shike import errors
from shike.limit.bounds import CAP_MAX, KEY_VALUE_CHARS_MAX, KEYS_REMEMBERED_MAX, LIMITS_PER_TASK_MAX, STRIKES_MAX
from shike.limit.predicate import ABOUT_RUNS
from shike.limit.registry import kind_of, names
from shike.limit.strikes import Deed

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
TEXT = PAGE.read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())
CODE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_program_of_the_page_runs_and_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(CODE):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), namespace)  # noqa: S102 - it is our own page
    said = re.findall(r"print\(.*\)  # (.*)", "".join(CODE))
    assert said == capsys.readouterr().out.splitlines() != []


@pytest.mark.parametrize("word", names())
def test_every_kind_is_on_the_page(word: str) -> None:
    assert f"| `{kind_of(word).__name__}(" in TEXT


def test_the_bounds_of_the_page_are_those_of_the_code() -> None:
    for words in (
        f"at most {KEY_VALUE_CHARS_MAX} characters",
        f"A cap is at most {CAP_MAX:,}",
        f"a task has at most {LIMITS_PER_TASK_MAX} limits",
        f"at most {STRIKES_MAX} strikes",
        f"at most {KEYS_REMEMBERED_MAX:,} keys",
    ):
        assert words in WORDS


@pytest.mark.parametrize("word", [*ABOUT_RUNS, *Deed])
def test_every_word_of_a_strike_is_on_the_page(word: str) -> None:
    assert re.search(rf"\b{word}\b", TEXT)


@pytest.mark.parametrize("name", ["BadLimit", "BadArguments", "TooLarge", "BadPredicate"])
def test_the_errors_of_the_page_are_ours(name: str) -> None:
    assert f"`{name}`" in TEXT and issubclass(getattr(errors, name), errors.BadInput)

"""docs/sharding.md is true: its blocks are a program that runs, and its bounds are those of the code (R2.7, R3.13)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shike.bounds import CLAIM_AHEAD_SECONDS, GANG_RUNS_MAX, HANDOVER_BYTES_MAX
from shike.engine import SLOTS
from shike.model import OnGone

PAGE = Path(__file__).parents[2] / "docs" / "sharding.md"
TEXT = PAGE.read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_program_of_the_page_runs_and_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(CODE):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), namespace)  # noqa: S102 - it is our own page
    said = re.findall(r"^ +(?:print\(.*\)|time\.run_due\(\))  # (.*)", "".join(CODE), re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said
    assert len(said) == 6


def test_the_bounds_of_the_page_are_those_of_the_code() -> None:
    words = " ".join(TEXT.split())
    assert f"at most {GANG_RUNS_MAX}" in words
    assert f"at most {HANDOVER_BYTES_MAX >> 20} MiB" in words
    assert f"({SLOTS} unless told otherwise)" in words
    assert f"{CLAIM_AHEAD_SECONDS * 1000:.0f} ms of work" in words


@pytest.mark.parametrize("how", OnGone)
def test_every_way_out_is_on_the_page(how: OnGone) -> None:
    assert f"`{how}`" in TEXT

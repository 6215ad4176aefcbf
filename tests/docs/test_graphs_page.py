"""docs/graphs.md is true: its blocks are a program that runs, and what it says of bounds and errors is so (R2.14)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shike.bounds import GRAPH_LINKS_MAX, GRAPH_RUNS_MAX, HANDOVER_BYTES_MAX
from shike.model import OnParent

PAGE = Path(__file__).parents[2] / "docs" / "graphs.md"
TEXT = PAGE.read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_program_of_the_page_runs_and_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(CODE):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), namespace)  # noqa: S102 - it is our own page
    printed = capsys.readouterr().out.splitlines()
    said = re.findall(r"print\(.*\)  # (.*)", "".join(CODE))
    assert len(said) == len(printed) == 5
    for words, line in zip(said, printed, strict=True):
        assert re.fullmatch(re.escape(words).replace("…", ".+"), line)


def test_the_bounds_of_the_page_are_those_of_the_code() -> None:
    assert f"{GRAPH_RUNS_MAX:,} runs or {GRAPH_LINKS_MAX:,} ties" in " ".join(TEXT.split())
    assert f"at most {HANDOVER_BYTES_MAX >> 20} MiB" in " ".join(TEXT.split())


@pytest.mark.parametrize("how", OnParent)
def test_every_way_to_go_on_is_on_the_page(how: OnParent) -> None:
    assert f"`{how}`" in TEXT

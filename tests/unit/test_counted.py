"""One run is never `1 runs`."""

from __future__ import annotations

import re
from pathlib import Path

from shike.counted import counted

SOURCES = Path(__file__).parents[2] / "src" / "shike"
BARE = re.compile(
    r"(?:\{(?:len\([^{}]*\)|[a-z_.]*(?:count|total|found|moments|tries|runs|holes|doubles|dropped))(?::,)?\}|%d) "
    r"(?:runs|schedules|moments|entries|lines|holes|doubles|tasks|queues|letters|handlers|acknowledgements)\b"
)


def test_a_number_is_told_with_its_noun() -> None:
    assert [counted(number, "run") for number in (0, 1, 2, 1_000)] == ["0 runs", "1 run", "2 runs", "1,000 runs"]
    assert [counted(number, "entry", "entries") for number in (1, 2)] == ["1 entry", "2 entries"]


def test_no_message_puts_a_bare_number_before_a_plural() -> None:
    assert BARE.search("{len(found.problems)} lines") and BARE.search("rescued %d runs")
    for path in SOURCES.rglob("*.py"):
        assert not BARE.findall(path.read_text(encoding="utf-8")), path

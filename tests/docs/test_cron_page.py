"""docs/cron.md is true: its examples run, its words are the program's, its column about Shike is worked out here."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shike.clock import to_datetime, to_micros
from shike.trigger import DST, cron
from shike.trigger.cron_parse import NICKNAMES

PAGE = Path(__file__).parents[2] / "docs" / "cron.md"
TEXT = PAGE.read_text(encoding="utf-8")
BERLIN = ZoneInfo("Europe/Berlin")
DAYS = {"gap": datetime(2026, 3, 29, tzinfo=BERLIN), "repeat": datetime(2026, 10, 25, tzinfo=BERLIN)}


def rows(header: str) -> Iterator[list[str]]:
    """The cells of the table whose header begins so."""
    for line in TEXT[TEXT.index(header) :].splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_every_example_runs_as_printed() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, verbose=False)
    assert tried > 15 and failed == 0


EXPRESSIONS = list(rows("| expression | in words"))


@pytest.mark.parametrize(("expression", "english", "chinese"), EXPRESSIONS)
def test_expressions_are_described_in_the_words_of_the_page(expression: str, english: str, chinese: str) -> None:
    trigger = cron(expression.strip("`"))
    assert trigger.describe() == f"{english}, UTC"
    assert trigger.describe("zh") == f"{chinese}（UTC）"


COMPARED = [(cells[0], cells[1]) for cells in rows("| expression, day")]


@pytest.mark.parametrize(("case", "told"), COMPARED)
def test_the_column_about_shike_is_what_shike_does(case: str, told: str) -> None:
    match = re.fullmatch(r"`(.+)` (gap|repeat)", case)
    assert match is not None
    day = DAYS[match[2]]
    moments = cron(match[1], tz="Europe/Berlin").between(to_micros(day), to_micros(day + timedelta(days=1)))
    shown = [to_datetime(at).astimezone(BERLIN) for at in moments]
    words = [at.strftime("%H:%M") + at.isoformat()[-6:] for at in shown]
    assert told == (", ".join(words) if len(words) < 10 else f"{len(words)} moments that day")


def test_every_policy_and_nickname_is_on_the_page() -> None:
    policies = [cells[0].split("`")[1] for cells in rows("| policy |")]
    assert policies == [policy.value for policy in DST]
    for nickname in NICKNAMES:
        assert f"`{nickname}`" in TEXT

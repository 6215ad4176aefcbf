"""docs/timers.md: its programs run, and it names every structure that there is."""

from __future__ import annotations

import re
from pathlib import Path

from shike.timer import TIMER_NAMES

PAGE = Path(__file__).parents[2].joinpath("docs/timers.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_its_programs_do_what_it_says() -> None:
    structures, waiting, driving = PROGRAMS
    names: dict[str, object] = {}
    exec(  # noqa: S102 - our own page
        structures.replace("queue.cancel(token)", "gone = queue.cancel(token)").replace("queue.pop", "due = queue.pop"),
        names,
    )
    assert (names["gone"], names["due"]) == (True, ["tea"])
    exec(waiting.replace("queue.take", "item = queue.take"), names)  # noqa: S102
    assert names["item"] == "a moment of 2023"
    exec(driving.replace("driver.close()", "rest = driver.close()"), names)  # noqa: S102
    assert names["rest"] == ["a date, in UTC microseconds"]


def test_it_names_every_structure() -> None:
    assert [name for name in TIMER_NAMES if f"`{name}`" not in PAGE] == []

"""docs/priority.md: its program runs, its bound is the code's, and every order and command is there."""

from __future__ import annotations

import re
from pathlib import Path

from shike.bands import waits_at_most
from shike.store.orders import Order
from shike.waiting.pauses import PREFIXES

PAGE = (Path(__file__).parents[2] / "docs" / "priority.md").read_text(encoding="utf-8")
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_its_program_runs() -> None:
    space: dict[str, object] = {"__name__": "page"}
    exec(PROGRAM, space)  # noqa: S102 - our own page
    space["app"].client.close_sync()  # type: ignore[attr-defined]


def test_it_names_every_order_and_all_that_can_be_paused() -> None:
    assert [order for order in Order if f"| `{order}` |" not in PAGE] == []
    assert [kind for kind in PREFIXES if f"| `{kind}` |" not in PAGE] == []


def test_its_bound_is_the_codes() -> None:
    assert f"within {waits_at_most(0, 1)} claims" in PAGE

"""docs/routing.md: its program runs, and it names every route that there is."""

from __future__ import annotations

import re
from pathlib import Path
from xml.dom.minidom import parseString

from shike.route.registry import names

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "routing.md").read_text(encoding="utf-8")
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_its_program_runs() -> None:
    space: dict[str, object] = {"__name__": "page"}
    exec(PROGRAM, space)  # noqa: S102 - our own page
    assert space["train"].definition.route.required == ("gpu",)  # type: ignore[attr-defined]


def test_it_names_every_route_and_tells_what_each_costs() -> None:
    assert [name for name in names() if f"`{name}`" not in PAGE] == []
    costs = next(line for line in PAGE.splitlines() if line.startswith("| `consistent_hash` | `failover`"))
    assert [name for name in names()[1:] if f"`{name}`" not in costs] == []


def test_its_picture_is_one() -> None:
    picture = (DOCS / "routing.svg").read_text(encoding="utf-8")
    assert parseString(picture).documentElement.tagName == "svg"  # noqa: S318 - our own
    assert "weighted round robin" in picture

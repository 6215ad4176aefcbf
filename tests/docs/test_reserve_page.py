"""docs/reserve.md: its programs run, its pictures are drawn by the command, its words are all there are."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from shike.bench.reserve_pictures import PICTURES
from shike.reserve.model import Binding, Reason, RuleKind

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reserve.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_its_programs_do_what_it_says(tmp_path: Path) -> None:
    first, second = PROGRAMS
    names: dict[str, Any] = {}
    exec(first, names)  # noqa: S102 — our own page
    held = names["held"]
    assert (held.order, held.units, names["left"]) == (1, (0,), 2)
    assert names["again"] is held and names["paid"].payment == "p-77"
    exec(second, names)  # noqa: S102
    assert asyncio.run(names["sell"](f"sqlite:///{tmp_path}/rooms.db")) == (True, 1, 0)


def test_its_pictures_are_those_that_the_command_draws() -> None:
    for name, picture in PICTURES.items():
        kept = (DOCS / "reserve" / f"{name}.svg").read_text(encoding="utf-8")
        assert kept == str(picture()), "to renew them: python -m shike.bench.reserve_pictures docs/reserve"
        assert f"reserve/{name}.svg" in PAGE


def test_it_names_every_reason_binding_and_rule() -> None:
    words = [*Reason, *Binding, *RuleKind]
    assert [word.value for word in words if f"`{word.value}`" not in PAGE] == []

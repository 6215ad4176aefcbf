"""docs/console.md tells of every page and route of the console, and shows what it looks like."""

from __future__ import annotations

import re
from pathlib import Path

from shike.operate.search import LOOKED_AT_MAX, QUALIFIERS
from shike.server.console import table
from shike.server.console.bulk import BULK_MAX
from shike.server.table import markdown

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/console.md").read_text("utf-8")
PICTURE_BYTES_MAX = 200_000


def test_every_route_is_listed() -> None:
    assert markdown(table.ROUTES) in PAGE, (
        "python -c 'from shike.server.table import markdown; from shike.server.console import table; "
        "print(markdown(table.ROUTES))' tells what belongs there"
    )


def test_every_qualifier_and_bound_is_told() -> None:
    for name in QUALIFIERS:
        assert f"`{name}:`" in PAGE
    assert f"newest {LOOKED_AT_MAX:,} runs" in PAGE and f"up to {BULK_MAX:,} at once" in PAGE


def test_its_pictures_are_there_and_small() -> None:
    texts = [PAGE, *((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md"))]
    names = {name for text in texts for name in re.findall(r"\((?:docs/)?(screenshots/[\w-]+\.png)\)", text)}
    assert len(names) >= 3
    for name in names:
        assert 10_000 < (ROOT / "docs" / name).stat().st_size < PICTURE_BYTES_MAX, name

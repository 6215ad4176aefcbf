"""docs/sources.md leads somewhere: every file that it names exists, and every id is a real one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [line for line in (ROOT / "docs/sources.md").read_text().splitlines() if line.startswith("| R")]


@pytest.mark.parametrize("row", ROWS, ids=[row.split()[1] for row in ROWS])
def test_every_file_of_a_row_exists(row: str) -> None:
    names = re.findall(r"`([^`]+)`", row)
    assert len(names) >= 2, "a requirement needs a place and a test"
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_no_requirement_is_listed_twice() -> None:
    ids = [row.split()[1] for row in ROWS]
    assert len(ids) == len(set(ids)) > 10
    assert all(re.fullmatch(r"R[0-4]\.\d+", one) for one in ids)


def test_relative_links_of_the_pages_lead_to_files() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} → {target}")
    assert broken == []

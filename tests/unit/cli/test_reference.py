"""The pages that are generated say what the code does."""

from __future__ import annotations

from pathlib import Path

from shike.cli.reference import markdown
from shike.cli.root import COMMANDS

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"


def test_the_page_of_the_command_line_is_the_codes() -> None:
    """To renew it: python -m shike.cli.reference > docs/cli.md"""
    assert DOCS.read_text() == markdown()


def test_every_command_and_every_option_is_explained() -> None:
    page = markdown()
    assert all(f"## `shike {name}" in page for name in COMMANDS)
    assert not [line for line in page.splitlines() if line.startswith("| `--") and line.endswith("|  |")]

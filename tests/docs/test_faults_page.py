"""docs/faults.md is what the scenarios' figures say."""

from __future__ import annotations

import json

from tests.fault.real.report import KEPT, PAGE, SCENARIOS, page


def test_the_page_is_written_from_the_figures() -> None:
    rows = json.loads(KEPT.read_text())
    assert PAGE.read_text() == page(rows), "run: python -m tests.fault.real.report"
    assert {row["scenario"] for row in rows} <= SCENARIOS.keys()

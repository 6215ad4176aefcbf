"""What came out, as tables: on the terminal, as JSON, and between the markers of the docs page."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from benchmarks.conditions import machine
from benchmarks.measure import Outcome, Row

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def markdown(outcome: Outcome) -> str:
    """The table of one measure, ratios first, and its conditions below."""
    headings = [column.heading for column in outcome.measure.columns]
    ratios = [outcome.ratio(row) for row in outcome.measure.rows if row.ours]
    lead = ["× best peer"] if any(ratios) else []
    lines = [_line(["", *lead, *headings]), _line(["---", *["---:"] * (len(headings) + len(lead))])]
    lines += [_line([_title(row), *_lead(outcome, row, bool(lead)), *_cells(outcome, row)]) for row in _rows(outcome)]
    failures = [f"\n{_name(outcome, row)}: {_one_line(why)}" for row, why in outcome.failures.items()]
    return "\n".join([*lines, *failures, "", f"*{outcome.conditions}*"])


def as_json(outcomes: list[Outcome]) -> dict[str, Any]:
    """Every figure of every repeat."""
    return {
        "machine": machine(),
        "measures": {
            outcome.measure.name: {
                "conditions": outcome.conditions,
                "rows": {name: [_finite(repeat) for repeat in repeats] for name, repeats in outcome.repeats.items()},
                "failures": outcome.failures,
                "times_best_peer": {row.name: outcome.ratio(row) for row in outcome.measure.rows if row.ours},
            }
            for outcome in outcomes
        },
    }


def write(outcomes: list[Outcome], page: Path = PAGE) -> None:
    """Put each table between its markers `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`, and leave the rest."""
    text = _between(page.read_text(), "machine", machine())
    for outcome in outcomes:
        body = f"{_one_line(outcome.measure.about)}\n\n{markdown(outcome)}"
        text = _between(text, outcome.measure.name, body)
    page.write_text(text)


def _between(text: str, name: str, body: str) -> str:
    opening, closing = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    pattern = re.compile(f"{re.escape(opening)}.*?{re.escape(closing)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the page has no place for {name!r}: add {opening} and {closing}")
    return pattern.sub(lambda _: f"{opening}\n{body}\n{closing}", text)


def _finite(figures: dict[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in figures.items()}


def _rows(outcome: Outcome) -> list[Row]:
    return [row for row in outcome.measure.rows if row.name in outcome.repeats]


def _title(row: Row) -> str:
    return f"**{row.title}**" if row.ours else row.title


def _lead(outcome: Outcome, row: Row, shown: bool) -> list[str]:
    if not shown:
        return []
    ratio = outcome.ratio(row) if row.ours else None
    return ["" if ratio is None else f"**{ratio:.1f}**" if ratio < 10 else f"**{ratio:.0f}**"]


def _cells(outcome: Outcome, row: Row) -> list[str]:
    columns = outcome.measure.columns
    return [_cell(outcome.folded(row.name, column.key, column.fold), column.digits) for column in columns]


def _cell(value: float | None, digits: int) -> str:
    if value is None:
        return "–"
    return "never" if math.isinf(value) else f"{value:,.{digits}f}"


def _name(outcome: Outcome, name: str) -> str:
    return next(row.title for row in outcome.measure.rows if row.name == name)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _one_line(text: str) -> str:
    return " ".join(text.split())

"""What came out, as tables: on the terminal, as JSON, and between the markers of the docs page."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from benchmarks.bars import bars
from benchmarks.conditions import machine
from benchmarks.measure import Column, Outcome, Row

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def markdown(outcome: Outcome) -> str:
    """The table of one measure: CPU per run where it is known, then ratios, then the rest; its conditions below."""
    columns = outcome.measure.columns
    first, rest = [one for one in columns if one.first], [one for one in columns if not one.first]
    ratios = [outcome.ratio(row) for row in outcome.measure.rows if row.ours]
    lead = ["× best peer"] if any(ratios) else []
    headings = [*(one.heading for one in first), *lead, *(one.heading for one in rest)]
    lines = [_line(["", *headings]), _line(["---", *["---:"] * len(headings)])]
    for row in _rows(outcome):
        lines.append(
            _line([
                _title(row), *_cells(outcome, row, first), *_lead(outcome, row, bool(lead)), *_cells(outcome, row, rest)
            ])
        )  # fmt: skip
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


def write(outcomes: list[Outcome], page: Path = PAGE, *, servers: str = "") -> None:
    """Put each table between its markers `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`, and leave the rest.

    Measures with a picture have it beside the page. `servers`: which ones were used, for the line on the machine.
    """
    text = between(page.read_text(), "machine", "; ".join(filter(None, (machine(), servers))))
    for outcome in outcomes:
        parts = [_one_line(outcome.measure.about), markdown(outcome)]
        if outcome.measure.picture and (picture := drawn(outcome)):
            name = f"bench-{outcome.measure.name}.svg"
            (page.parent / name).write_text(picture)
            parts.append(f"![{outcome.measure.title}]({name})")
        text = between(text, outcome.measure.name, "\n\n".join(parts))
    page.write_text(text)


def drawn(outcome: Outcome) -> str:
    """The figure of the picture as bars, the longest first; nothing where nobody has one."""
    column = next(column for column in outcome.measure.columns if column.key == outcome.measure.picture)
    values = [
        (row.title.replace("`", ""), outcome.folded(row.name, column.key, column.fold)) for row in outcome.measure.rows
    ]
    rows = [(title, (value,)) for title, value in values if value is not None and math.isfinite(value)]
    if not rows:
        return ""
    ours = {row.title.replace("`", "") for row in outcome.measure.rows if row.ours}
    return bars(outcome.measure.title, "", (column.heading,), sorted(rows, key=lambda row: -row[1][0]), ours)


def between(text: str, name: str, body: str) -> str:
    opening, closing = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    pattern = re.compile(f"{re.escape(opening)}.*?{re.escape(closing)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the page has no place for {name!r}: add {opening} and {closing}")
    return pattern.sub(lambda _: f"{opening}\n{body}\n{closing}", text)


def _finite(figures: dict[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in figures.items()}


def _rows(outcome: Outcome) -> list[Row]:
    return [row for row in outcome.measure.rows if row.name in outcome.repeats or row.name in outcome.failures]


def _title(row: Row) -> str:
    return f"**{row.title}**" if row.ours else row.title


def _lead(outcome: Outcome, row: Row, shown: bool) -> list[str]:
    if not shown:
        return []
    ratio = outcome.ratio(row) if row.ours else None
    return ["" if ratio is None else f"**{ratio:.1f}**" if ratio < 10 else f"**{ratio:.0f}**"]


def _cells(outcome: Outcome, row: Row, columns: list[Column]) -> list[str]:
    if row.name not in outcome.repeats:
        return ["failed"] * len(columns)
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

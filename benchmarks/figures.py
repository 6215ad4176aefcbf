"""What was measured last, kept in out/bench: a file a measure, so that goals are read over several runs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Outcome
from benchmarks.systems.spec import OUT

FOLDER = OUT / "bench"


def keep(outcomes: list[Outcome], folder: Path = FOLDER) -> None:
    """Write what goals need to know of each measure."""
    folder.mkdir(parents=True, exist_ok=True)
    for outcome in outcomes:
        (folder / f"{outcome.measure.name}.json").write_text(json.dumps(_facts(outcome), indent=1))


def _facts(outcome: Outcome) -> dict[str, Any]:
    measure = outcome.measure
    rows = {
        row.name: {
            "title": row.title,
            "group": row.group,
            "ours": row.ours,
            "ratio": outcome.ratio(row) if row.ours else None,
            "figures": {one.key: outcome.folded(row.name, one.key, one.fold) for one in measure.columns},
        }
        for row in measure.rows
        if row.name in outcome.repeats
    }
    return {"conditions": outcome.conditions, "more_is_better": measure.more_is_better, "rows": rows}


@dataclass(frozen=True)
class Figures:
    """By measure, as `keep` wrote them."""

    measures: dict[str, dict[str, Any]]

    def value(self, measure: str, row: str, key: str) -> float | None:
        """None: not measured."""
        found = self._row(measure, row).get("figures", {}).get(key)
        return None if found is None else float(found)

    def ratio(self, measure: str, row: str) -> float | None:
        """To the best peer of its group, in the measure's own figure."""
        found = self._row(measure, row).get("ratio")
        return None if found is None else float(found)

    def best_peer(self, measure: str, group: str, key: str) -> tuple[float, str] | None:
        """Of all rows of the group that are not ours: the largest of a rate, the least of anything else."""
        rows = self.measures.get(measure, {}).get("rows", {}).values()
        peers = [(row["figures"].get(key), row["title"]) for row in rows if row["group"] == group and not row["ours"]]
        scored = [(value, title) for value, title in peers if value is not None and math.isfinite(value)]
        if not scored:
            return None
        return max(scored) if key.endswith("per_second") else min(scored)

    def when(self) -> str:
        """When the first and the last of them were taken."""
        stamps = sorted(one["conditions"].partition("taken ")[2].partition(" UTC")[0] for one in self.measures.values())
        return f"Taken {stamps[0]} to {stamps[-1]} UTC." if stamps else "Nothing was measured yet."

    def _row(self, measure: str, row: str) -> dict[str, Any]:
        found: dict[str, Any] = self.measures.get(measure, {}).get("rows", {}).get(row, {})
        return found


def load(folder: Path = FOLDER) -> Figures:
    """All that is there."""
    return Figures({file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))})

"""Results as bars, on a logarithmic scale: they lie between nanoseconds and milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import log10

from shike.bench.arena import TITLES, Result
from shike.bench.report import COMPARED, HEADINGS, UNITS, keys_of
from shike.bench.svg import BLUE, GREEN, ORANGE, PALE, Drawing

WIDTH, LEFT, RIGHT, BAR, GAP, HEAD = 860, 260, 70, 11, 8, 78
COLOURS = (BLUE, ORANGE, GREEN)


def plot(results: Sequence[Result], conditions: str) -> str:
    """One panel for each measure and size, one bar for each figure."""
    panels = [list(panel) for _, panel in groupby(results, lambda result: (result.measure, result.pending))]
    panels = [[result for result in panel if result.figures] for panel in panels]
    heights = [_height(panel) for panel in panels]
    drawing = Drawing(WIDTH, sum(heights) + 30, "Timer structures compared")
    y = 0.0
    for panel, height in zip(panels, heights, strict=True):
        if panel:
            _panel(drawing, y, panel)
        y += height
    drawing.text(16, y + 14, conditions, size=11)
    return str(drawing)


def _keys(panel: Sequence[Result]) -> list[str]:
    return [key for key in keys_of(panel) if key in (*COMPARED, "cancel")]


def _height(panel: Sequence[Result]) -> float:
    return HEAD + len(panel) * (len(_keys(panel)) * BAR + GAP) + 16 if panel else 0


def _panel(drawing: Drawing, y: float, panel: Sequence[Result]) -> None:
    keys = _keys(panel)
    values = [result.figures[key] for result in panel for key in keys if result.figures.get(key)]
    low, high = int(log10(min(values)) // 1), -int(-log10(max(values)) // 1)
    scale = (WIDTH - LEFT - RIGHT) / max(high - low, 1)
    drawing.text(16, y + 26, f"{panel[0].measure}: {panel[0].pending:,} pending", size=16)
    for index, key in enumerate(keys):
        drawing.bar(16 + index * 220, y + 38, 12, 12, COLOURS[index])
        drawing.text(34 + index * 220, y + 49, f"{HEADINGS.get(key, key)}, {UNITS[key]}")
    top, bottom = y + HEAD - 10, y + _height(panel) - 16
    for power in range(low, max(high, low + 1) + 1):
        x = LEFT + (power - low) * scale
        drawing.line(x, top, x, bottom, fill=PALE)
        drawing.text(x, top - 3, f"{10.0**power:,g}" if power < 6 else f"10^{power}", size=10, anchor="middle")
    at = y + HEAD
    for result in panel:
        drawing.text(LEFT - 8, at + len(keys) * BAR / 2 + 4, TITLES[result.contestant], size=12, anchor="end")
        for index, key in enumerate(keys):
            value = result.figures.get(key)
            if value:
                length = (log10(value) - low) * scale
                drawing.bar(LEFT, at + index * BAR, length, BAR - 2, COLOURS[index])
                cut = " (cut)" if result.figures.get("cut") else ""
                words = f"{value:,.0f}" if value >= 10 else f"{value:.3g}"
                drawing.text(LEFT + max(length, 1) + 5, at + index * BAR + 9, words + cut, size=10)
        at += len(keys) * BAR + GAP

"""A bar chart as SVG, written by hand: nothing to install, small in a diff, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

WIDTH, LEFT, BAR, GAP, SPACE = 900, 320, 15, 4, 8
COLOURS = ("#4878a8", "#d08030", "#6a9a50", "#a05080")


def bars(
    title: str,
    unit: str,
    series: Sequence[str],
    rows: Sequence[tuple[str, Sequence[float]]],
    marked: Collection[str] = (),
) -> str:
    """Horizontal bars: one group per row, one bar per series; each bar has its figure at its end.

    Where there is one series, the bars of the rows named in `marked` have another colour.
    """
    most = max(value for _, values in rows for value in values)
    step = len(series) * (BAR + GAP) + SPACE
    top, height = 74, 74 + len(rows) * step + 8
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">'
    parts = [head, f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>', _text(16, 26, title, size=16)]
    for index, name in enumerate(series):
        left = 16 + index * 260
        parts += [
            _bar(left, 42, 12, COLOURS[index], height=12),
            _text(left + 18, 53, f"{name}, {unit}" if unit else name),
        ]
    for index, (name, values) in enumerate(rows):
        y = top + index * step
        parts.append(_text(LEFT - 10, y + (step - SPACE) / 2 + 3, name, anchor="end"))
        for place, value in enumerate(values):
            length = (WIDTH - LEFT - 80) * value / most
            colour = COLOURS[place + (name in marked)]
            parts.append(_bar(LEFT, y + place * (BAR + GAP), length, colour))
            parts.append(
                _text(LEFT + length + 6, y + place * (BAR + GAP) + 12, f"{value:,.{0 if value >= 100 else 1}f}")
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(x: float, y: float, length: float, colour: str, *, height: float = BAR) -> str:
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{max(1.0, length):.1f}" height="{height}" fill="{colour}"/>'


def _text(x: float, y: float, words: str, *, size: int = 13, anchor: str = "start") -> str:
    where = f'x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}"'
    return f'<text {where} fill="#222">{escape(words)}</text>'

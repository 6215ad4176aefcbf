"""A run's trace as a picture of characters: a line for each stretch, its bar in proportion, its cause in words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from shike.cli.output import plain, width
from shike.operate.autopsy import Trace
from shike.operate.waterfall import Bar, Kind, Status, seconds

if TYPE_CHECKING:
    from rich.text import Text

SIGNS = {Kind.WAIT: "░", Kind.RUN: "█", Kind.STEP: "▓", Kind.ACK: "▒"}
COLOURS = {Kind.WAIT: "yellow", Kind.RUN: "green", Kind.STEP: "cyan", Kind.ACK: "blue"}
LABEL_COLUMNS_MAX = 28
BAR_COLUMNS = 32
BAR_COLUMNS_MIN = 8
DEPTH_SHOWN_MAX = 8  # steps that lie deeper stand below each other
LINES_MAX = 200  # a handler may have taken a thousand steps


def draw(trace: Trace, screen: int) -> Iterator[Text]:
    """The lines, for a screen of so many columns."""
    from rich.text import Text

    bars = trace.bars[:LINES_MAX]
    yield Text(plain(trace.why), style="bold")
    if not bars:
        return
    first, last = min(bar.start for bar in bars), max(bar.end for bar in bars)
    labels = [_label(bar) for bar in bars]
    left = max(map(width, labels))
    columns = max(min(BAR_COLUMNS, screen // 3), BAR_COLUMNS_MIN)
    for bar, label in zip(bars, labels, strict=True):
        before, length = _place(bar, first, last, columns)
        line = Text(f"{label}{' ' * (left - width(label))} ")
        line.append(" " * before)
        line.append(SIGNS[bar.kind] * length, style="red" if bar.status is Status.FAILED else COLOURS[bar.kind])
        line.append(" " * (columns - before - length))
        line.append(f" {seconds(bar.end - bar.start):>8}")
        line.append(f"  {plain(' '.join(bar.words.split()))}" if bar.words else "")
        line.truncate(max(screen, left + columns + 12), overflow="ellipsis")
        line.rstrip()
        yield line
    if len(trace.bars) > LINES_MAX:
        yield Text(f"… and {len(trace.bars) - LINES_MAX:,} more")


def show(trace: Trace) -> None:
    """Print it: in colours on a terminal, as wide as that is; in full anywhere else."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)
    for line in draw(trace, console.width):
        console.print(line)


def _label(bar: Bar) -> str:
    """Indented as deep as it lies, and no wider than its column."""
    text = f"{'  ' * min(bar.depth, DEPTH_SHOWN_MAX)}{plain(' '.join(bar.label.split()))}"
    while width(text) > LABEL_COLUMNS_MAX:
        text = text[:-1]
    return text


def _place(bar: Bar, first: int, last: int, columns: int) -> tuple[int, int]:
    """Where its bar begins, and how long it is: at least one column, all within the picture."""
    whole = max(last - first, 1)
    before = min((bar.start - first) * columns // whole, columns - 1)
    return before, max(min(round((bar.end - bar.start) * columns / whole), columns - before), 1)

"""A snapshot as a picture that fits its window: what runs out of room is grouped, shortened or left out, never broken.

Only the live screen loads this: it needs rich.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from shike.cli.output import seconds
from shike.cli.status import NEXT_KEPT, RECENT_KEPT, Next, Snapshot, failures
from shike.operate.facts import RunFacts

T = TypeVar("T")

FRAME = 4  # a border and a space on each side
GAP = 3  # between two figures or tables
INSIDE = 2  # between two columns of a table
IN, STATE, LATE = 7, 9, 7  # columns: their longest words, "59.99 s" and "CANCELLED"
NAME_MIN, NAME_MAX = 12, 40  # of a task or schedule
REASON_MIN = 16  # less would say nothing
ROWS_MIN = 3
BARS = " ▁▂▃▄▅▆▇█"
STYLES = {"SUCCESS": "green", "FAILED": "yellow", "DEAD": "red", "CANCELLED": "magenta", "SKIPPED": "dim"}


class Number(NamedTuple):
    """One figure of the upper part, with its style."""

    name: str
    value: str
    style: str

    @property
    def width(self) -> int:
        return max(cell_len(self.name), cell_len(self.value))


def draw(snapshot: Snapshot, title: str, *, width: int, height: int) -> RenderableType:
    """The whole screen, at most so many columns wide; as many rows of runs as leave it in one piece."""
    inner = width - FRAME
    up = f"up {seconds(snapshot.uptime_seconds)} · {snapshot.at.astimezone():%H:%M:%S} · Ctrl-C stops"
    numbers = _numbers(snapshot, inner)
    above = 2 * len(numbers) + 7  # the frame, two empty lines, the bars, a title and the headings
    rows = max(height - above - 1, ROWS_MIN)
    body = Group(*numbers, Text(), _ahead(snapshot, inner), Text(), _tables(snapshot, inner, rows))
    return Panel(body, title=Text(shortened(title, inner), "bold"), subtitle=Text(up, "dim"), border_style="blue")


def _numbers(snapshot: Snapshot, inner: int) -> list[RenderableType]:
    """All figures in one line, or in two or four where the window is narrow."""
    found = _figures(snapshot)
    for columns in (8, 4, 2):
        lines = _batched(found, columns)
        widths = [max(one.width for one in column) for column in zip(*lines, strict=True)]
        if sum(widths) + GAP * (columns - 1) <= inner:
            break
    return [_line(line, widths) for line in lines]


def _figures(snapshot: Snapshot) -> list[Number]:
    counts, failed, dead = snapshot.counts, failures(snapshot.ended), snapshot.counts.dead
    slots = f"{snapshot.running_here} of {snapshot.slots}" if snapshot.slots else str(counts.running)
    known = snapshot.late_p50_seconds is not None
    late = f"{seconds(snapshot.late_p50_seconds)} / {seconds(snapshot.late_p99_seconds)}" if known else "–"
    return [
        Number("running", slots, "cyan"),
        Number("eligible", f"{counts.eligible:,}", "cyan"),
        Number("scheduled", f"{counts.scheduled:,}", "cyan"),
        Number("late p50 / p99", late, "cyan"),
        Number("done/s", f"{snapshot.per_second:,.1f}", "green"),
        Number("done", f"{sum(snapshot.ended.values()):,}", "green"),
        Number("failures", f"{failed:,}", "yellow" if failed else "dim"),
        Number("dead letters", f"{dead:,}", "red" if dead else "dim"),
    ]


def _line(numbers: Sequence[Number], widths: Sequence[int]) -> RenderableType:
    grid = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    for width in widths:
        grid.add_column(width=width, no_wrap=True, overflow="ellipsis")
    grid.add_row(*(Text(one.name, "dim") for one in numbers))
    grid.add_row(*(Text(one.value, f"bold {one.style}") for one in numbers))
    return grid


def _ahead(snapshot: Snapshot, inner: int) -> RenderableType:
    """The next minute: a sign for each second, or for two, three … where the window is narrow."""
    due = snapshot.due_by_second
    label, total = f"due in the next {len(due)} s  ", f"  {sum(due):,}"
    room = max(inner - len(label) - len(total), 1)
    each = -(-len(due) // room) if due else 1
    text = Text(label, "dim", no_wrap=True, overflow="ellipsis")
    text.append(bars([sum(some) for some in _batched(due, each)]), "blue")
    return text.append(total, "bold")


def bars(values: Sequence[int]) -> str:
    """A picture of numbers, one sign each; the highest is a full block."""
    top = max(values, default=0)
    return "".join(BARS[-(-value * (len(BARS) - 1) // top)] if top else BARS[0] for value in values)


def _tables(snapshot: Snapshot, inner: int, rows: int) -> RenderableType:
    """What comes and what was, side by side; in a very narrow window only what was."""
    runs = snapshot.recent[: -min(rows, RECENT_KEPT) - 1 : -1]
    nexts = snapshot.next[: min(rows, NEXT_KEPT)]
    schedules = [one.schedule.removeprefix("default/") for one in nexts]
    least = STATE + INSIDE + NAME_MIN + INSIDE + LATE
    name = _fitting(schedules, inner // 3 - IN - INSIDE)
    left = IN + INSIDE + name
    if left + GAP + least > inner:
        return _latest(runs, inner)
    both = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    both.add_column(width=left)
    both.add_column(width=inner - left - GAP)
    both.add_row(_coming(nexts, schedules, name), _latest(runs, inner - left - GAP))
    return both


def _coming(nexts: Sequence[Next], schedules: Sequence[str], name: int) -> RenderableType:
    table = _table("next", {"in": IN, "schedule": name})
    for one, schedule in zip(nexts, schedules, strict=True):
        table.add_row(seconds(one.in_seconds), _plain(schedule))
    return table


def _latest(runs: Sequence[RunFacts], width: int) -> RenderableType:
    """State, task and lateness; and the reason, where enough room is left for one."""
    room = width - STATE - LATE - 2 * INSIDE
    task = _fitting([run.task for run in runs], room)
    reason = room - task - INSIDE
    table = _table("latest", {"state": STATE, "task": task, "late": LATE, "": reason if reason >= REASON_MIN else 0})
    for run in runs:
        state = Text(run.state, STYLES.get(run.state, "dim"))
        cells = (state, _plain(run.task), seconds(run.late_seconds), _plain(run.reason))
        table.add_row(*cells[: len(table.columns)])
    return table


def _fitting(names: Sequence[str], room: int) -> int:
    """How wide a column of names is made: as wide as they are, within reason and room."""
    return max(min(max(map(cell_len, names), default=0), NAME_MAX, room), NAME_MIN)


def _table(title: str, widths: dict[str, int]) -> Table:
    """Columns of fixed widths; one of width 0 is left out."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading, width in widths.items():
        if width > 0:
            table.add_column(heading, header_style="dim", width=width, no_wrap=True, overflow="ellipsis")
    return table


def _plain(text: str) -> Text:
    """A text as it is: what a handler said is no markup, and has one line here."""
    return Text(" ".join(text.split()))


def shortened(text: str, width: int) -> str:
    """At most so many columns of a text, with a sign where something is missing."""
    cut = Text(text)
    cut.truncate(max(width, 1), overflow="ellipsis")
    return cut.plain


def _batched(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]

"""The screen of a process at work: drawn by rich on a terminal, a log line now and then anywhere else."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from shike.cli.output import as_json as print_json
from shike.cli.output import seconds
from shike.cli.status import Snapshot, Status, failures

if TYPE_CHECKING:
    from rich.console import RenderableType

log = logging.getLogger("shike")

DRAW_SECONDS = 0.5
FIRST_LINE_SECONDS = 2.0
LINE_SECONDS = 5.0
BARS = " ▁▂▃▄▅▆▇█"
STYLES = {"SUCCESS": "green", "FAILED": "yellow", "DEAD": "red", "CANCELLED": "magenta", "SKIPPED": "dim"}
WIDTHS = {"state": 9, "late": 7, "in": 6}


class Screen:
    """Shows a status until it is cancelled."""

    def __init__(self, status: Status, *, plain: bool, as_json: bool, title: str) -> None:
        self._status = status
        self._plain = plain
        self._as_json = as_json
        self._title = title

    async def run(self) -> None:
        """The loop."""
        if self._plain:
            await self._lines()
        else:
            await self._live()

    async def _lines(self) -> None:
        log.info("%s", self._title)
        await asyncio.sleep(FIRST_LINE_SECONDS)
        while True:
            snapshot = await self._status.look()
            if self._as_json:
                print_json(snapshot)
            else:
                log.info("%s", words(snapshot))
            await asyncio.sleep(LINE_SECONDS)

    async def _live(self) -> None:
        from rich.live import Live

        with Live(auto_refresh=False, transient=False, redirect_stderr=True) as live:
            while True:
                live.update(draw(await self._status.look(), self._title), refresh=True)
                await asyncio.sleep(DRAW_SECONDS)


def words(snapshot: Snapshot) -> str:
    """One line."""
    parts = [
        f"running {snapshot.counts.running}",
        f"eligible {snapshot.counts.eligible}",
        f"due in 60 s {sum(snapshot.due_by_second)}",
        f"done {sum(snapshot.ended.values()):,} ({snapshot.per_second:.1f}/s)",
        f"failures {failures(snapshot.ended)}",
        f"dead letters {snapshot.counts.dead}",
    ]
    if snapshot.late_p50_seconds is not None:
        parts.append(f"late p50 {seconds(snapshot.late_p50_seconds)}, p99 {seconds(snapshot.late_p99_seconds)}")
    return " · ".join(parts)


def draw(snapshot: Snapshot, title: str) -> RenderableType:
    """The whole screen."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    up = Text(f"up {seconds(snapshot.uptime_seconds)} · {snapshot.at.astimezone():%H:%M:%S} · Ctrl-C stops", "dim")
    tables = Table.grid(padding=(0, 3), expand=True)
    tables.add_column(ratio=1)
    tables.add_column(ratio=2)
    tables.add_row(_next(snapshot), _recent(snapshot))
    body = Group(_numbers(snapshot), Text(), _ahead(snapshot), Text(), tables)
    return Panel(body, title=Text(title, "bold"), subtitle=up, border_style="blue")


def _numbers(snapshot: Snapshot) -> RenderableType:
    from rich.table import Table

    counts = snapshot.counts
    grid = Table.grid(padding=(0, 4))
    slots = f"{snapshot.running_here} of {snapshot.slots}" if snapshot.slots else str(counts.running)
    failed, dead = failures(snapshot.ended), counts.dead
    late = f"{seconds(snapshot.late_p50_seconds)} / {seconds(snapshot.late_p99_seconds)}"
    cells: list[tuple[str, str, str]] = [
        ("running", slots, "cyan"),
        ("eligible", f"{counts.eligible:,}", "cyan"),
        ("scheduled", f"{counts.scheduled:,}", "cyan"),
        ("done/s", f"{snapshot.per_second:,.1f}", "green"),
        ("done", f"{sum(snapshot.ended.values()):,}", "green"),
        ("late p50 / p99", late if snapshot.late_p50_seconds is not None else "–", "cyan"),
        ("failures", f"{failed:,}", "yellow" if failed else "dim"),
        ("dead letters", f"{dead:,}", "red" if dead else "dim"),
    ]
    grid.add_row(*(f"[dim]{name}[/]" for name, _, _ in cells))
    grid.add_row(*(f"[bold {style}]{value}[/]" for _, value, style in cells))
    return grid


def _ahead(snapshot: Snapshot) -> RenderableType:
    from rich.text import Text

    text = Text("due in the next 60 s  ", "dim")
    text.append(bars(snapshot.due_by_second), "blue")
    return text.append(f"  {sum(snapshot.due_by_second)}", "bold")


def bars(values: list[int]) -> str:
    """A picture of numbers, one sign each; the highest is a full block."""
    top = max(values, default=0)
    return "".join(BARS[-(-value * (len(BARS) - 1) // top)] if top else BARS[0] for value in values)


def _next(snapshot: Snapshot) -> RenderableType:
    table = _table("next", ("in", "schedule"))
    for one in snapshot.next:
        table.add_row(seconds(one.in_seconds), one.schedule.removeprefix("default/"))
    return table  # type: ignore[no-any-return]


def _recent(snapshot: Snapshot) -> RenderableType:
    table = _table("latest", ("state", "task", "late", ""))
    for run in reversed(snapshot.recent[-len(BARS) :]):
        style = STYLES.get(run.state, "dim")
        table.add_row(f"[{style}]{run.state}[/]", run.task, seconds(run.late_seconds), _short(run.reason))
    return table  # type: ignore[no-any-return]


def _table(title: str, headings: tuple[str, ...]) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for heading in headings:  # whoever runs out of room shortens the reason, never the state or the number
        table.add_column(heading, header_style="dim", no_wrap=True, min_width=WIDTHS.get(heading), overflow="ellipsis")
    return table


def _short(text: str) -> str:
    from rich.markup import escape

    return escape(text if len(text) <= 40 else f"{text[:39]}…")

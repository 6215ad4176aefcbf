"""The screen of a process at work: drawn by rich on a terminal, a log line now and then anywhere else."""

from __future__ import annotations

import asyncio
import logging

from shike.cli.output import as_json as print_json
from shike.cli.output import seconds
from shike.cli.status import Snapshot, Status, failures

log = logging.getLogger("shike")

DRAW_SECONDS = 0.5
FIRST_LINE_SECONDS = 2.0
LINE_SECONDS = 5.0


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

        from shike.cli.picture import draw

        with Live(auto_refresh=False, transient=False, redirect_stderr=True) as live:
            while True:
                size = live.console.size  # the window may be drawn wider or smaller at any time
                picture = draw(await self._status.look(), self._title, width=size.width, height=size.height)
                live.update(picture, refresh=True)
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

"""What is over: a bounded shelf of ended runs, and a digest of what had to leave it."""

from __future__ import annotations

from itertools import islice

from msgspec.structs import replace

from shike.clock import MICROS
from shike.model import Ended, State, TimetableRow

DAY = 24 * 3600 * MICROS


class Timetable:
    """The rows of all schedules, by moment."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[int, TimetableRow]] = {}

    def of(self, schedule: str) -> dict[int, TimetableRow]:
        return self.rows.setdefault(schedule, {})

    def row(self, schedule: str, moment: int) -> TimetableRow | None:
        rows = self.rows.get(schedule)
        return None if rows is None else rows.get(moment)

    def write(self, row: TimetableRow) -> None:
        self.of(row.schedule)[row.moment] = row

    def keep_state(self, ended: Ended) -> None:
        """The run's own record goes; its row says from now on how it ended."""
        row = self.row(ended.run.schedule, ended.run.moment)
        if row is not None and row.run_id == ended.run.id:
            self.write(replace(row, state=ended.state))

    def forget_before(self, instant: int, limit: int) -> int:
        """Drop at most `limit` rows that lie wholly before an instant."""
        old = [
            (schedule, moment)
            for schedule, rows in self.rows.items()
            for moment, row in rows.items()
            if row.until < instant
        ][:limit]
        for schedule, moment in old:
            del self.rows[schedule][moment]
            if not self.rows[schedule]:
                del self.rows[schedule]
        return len(old)


class Digest:
    """How many runs of a task ended how, by day: what remains when the rows are gone."""

    def __init__(self) -> None:
        self.counts: dict[tuple[int, str, State], int] = {}

    def add(self, ended: Ended) -> None:
        key = (ended.ended_at // DAY, ended.run.task, ended.state)
        self.counts[key] = self.counts.get(key, 0) + 1


class Shelf:
    """Ended runs in the order in which they ended, at most `bound`; the oldest leave first."""

    def __init__(self, bound: int, timetable: Timetable, digest: Digest, attempts: dict[int, list[bytes]]) -> None:
        self.rows: dict[int, Ended] = {}
        self._bound = bound
        self._timetable = timetable
        self._digest = digest
        self._attempts = attempts

    def trim(self) -> None:
        """Below the bound again, by an eighth, so that the next one comes late. What leaves is counted in the digest
        and noted in the timetable."""
        if len(self.rows) > self._bound:
            self._drop_first(len(self.rows) - self._bound * 7 // 8)

    def forget_before(self, instant: int, limit: int) -> int:
        count = 0
        for ended in self.rows.values():
            if ended.ended_at >= instant or count == limit:
                break
            count += 1
        self._drop_first(count)
        return count

    def drop(self, run_id: int) -> bool:
        ended = self.rows.pop(run_id, None)
        if ended is not None:
            self._left(ended)
        return ended is not None

    def _drop_first(self, count: int) -> None:
        for run_id in list(islice(self.rows, count)):
            self.drop(run_id)

    def _left(self, ended: Ended) -> None:
        self._digest.add(ended)
        self._attempts.pop(ended.run.id, None)
        if ended.run.schedule:
            self._timetable.keep_state(ended)

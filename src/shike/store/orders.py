"""In which order the runs of a queue go out, compiled to what every store orders by: band, run_at, id (R2.5).

A row `order/QUEUE` names another order than by priority. *Earliest deadline first* is a `run_at` that lies long ago: an
eligible run gets its *rank*, the deadline in units of half a millisecond counted from 1970, which is before 1988 for
every deadline until 9999. So ranks stand before all that has none yet, in the order of deadlines, and no store has a
second index, nor a claim a second way to look (docs/decisions/0024-orders-and-pauses.md). After C. L. Liu and J. W.
Layland, 1973.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from shike.clock import MICROS
from shike.model import Live, Run

ORDER_ROW: Final = "order/"  # ORDER_ROW + the name of a queue: a control row with the name of an `Order`
UNIT_MICROS: Final = 512  # two deadlines that are less apart may go out in either order
RANKS_END: Final = 1 << 49  # µs: November 1987. Whatever is eligible since before then has a rank
NO_DEADLINE_SECONDS: Final = 24 * 3600.0  # a run without one is taken for due so long after its time: it comes, too


class Order(StrEnum):
    """What goes out first among the eligible runs of a queue."""

    PRIORITY = "priority"  # band by band, and what was eligible first within a band
    FIFO = "fifo"  # what was eligible first, whatever its band; the backlog band stays behind
    DEADLINE = "deadline"  # band by band, and what expires first within a band


def deadline_of(run: Run) -> int:
    """By when it has to begin: its expiry, or a day after its time."""
    return run.expires_at or run.due_at + round(NO_DEADLINE_SECONDS * MICROS)


def rank_of(run: Run) -> int:
    """The `run_at` by which it takes its place."""
    return deadline_of(run) // UNIT_MICROS


def is_ranked(run_at: int) -> bool:
    return run_at < RANKS_END


def eligible_since(live: Live) -> int:
    """Its `run_at`; of a run that has a rank in its place, when it was due."""
    return live.run.due_at if is_ranked(live.run_at) else live.run_at

"""`shike replay-routing`: would another route have done better?"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from shike.cli import output
from shike.cli.root import FINE
from shike.cli.where import ANYWHERE, Where, at_desk
from shike.clock import MICROS
from shike.operate.replay import Waits, replay
from shike.trigger.duration import parse_duration


def replay_routing(
    *,
    by: Annotated[str, Parameter(name="--with", help="The route to decide by: least_busy, smart, …")],
    last: Annotated[str, Parameter(help="How long ago the stretch begins; snapshots are kept for an hour or more.")] = (
        "1h"
    ),
    where: Where = ANYWHERE,
) -> int:
    """Decide a recorded stretch again by another route, from the kept decisions and snapshots, and tell how waits and
    evenness would have differed. Nothing is changed."""
    seconds = parse_duration(last) / MICROS
    found = at_desk(where, lambda desk: replay(desk.store, by, seconds=seconds))
    if where.json:
        output.as_json({"replay": found})
        return FINE
    share = found.elsewhere / found.decisions if found.decisions else 0.0
    print(f"{found.decisions:,} decisions, {share:.0%} of them go elsewhere", end="")
    print(f"; {found.left_out:,} left out, their snapshot is not kept any more\n" if found.left_out else "\n")
    rows = [_row(found.measured), _row(found.modelled), _row(found.other)]
    output.table(("", "runs", "wait mean", "p50", "p99", "busiest ÷ mean", "unplaced"), rows)
    print()
    names = sorted({*found.modelled.workers, *found.other.workers})
    by_worker = [(name, found.modelled.workers.get(name, 0), found.other.workers.get(name, 0)) for name in names]
    output.table(("worker", "had", f"with {by}"), by_worker)
    return FINE


def _row(waits: Waits) -> tuple[object, ...]:
    times = (waits.wait_mean_ms, waits.wait_p50_ms, waits.wait_p99_ms)
    return (
        waits.by, waits.runs, *(f"{time:,.1f} ms" for time in times), f"{waits.unevenness:.2f}", waits.unplaced or "",
    )  # fmt: skip

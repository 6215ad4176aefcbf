"""`shike audit`: what became of each planned moment; holes and doubles first."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.times import when
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.counted import counted

HEADINGS = ("schedule", "moments", "what became of them", "holes", "doubles", "")


def audit(
    *,
    start: Annotated[str, Parameter(name="--from", help="From this time on.")] = "24h ago",
    end: Annotated[str, Parameter(name="--to", help="Up to this time; at most now.")] = "now",
    only: Annotated[tuple[str, ...], Parameter(help="Only these schedules.")] = (),
    where: Where = ANYWHERE,
) -> int:
    """Compute every planned moment anew and prove what became of it. Exit code 1 for a hole or a double."""
    from shike.audit import Report
    from shike.audit import audit as auditing

    span = (when(start), when(end))

    async def work(desk: Desk) -> Report:
        names = [name if "/" in name else f"default/{name}" for name in only]
        return await auditing(desk.store, *span, only=names)

    report = at_desk(where, work)
    if where.json:
        output.as_json(_plain(report))
    else:
        _tell(report)
    return FINE if report.sound else FOUND


def _plain(report: Any) -> dict[str, Any]:
    return {
        "start": report.start,
        "end": report.end,
        "sound": report.sound,
        "holes": report.holes,
        "doubles": report.doubles,
        "schedules": report.schedules,
    }


def _tell(report: Any) -> None:
    for one in report.schedules:
        for kind, found, shown in (("HOLE", one.holes, one.first_holes), ("DOUBLE", one.doubles, one.first_doubles)):
            for hole in shown:
                print(f"{kind} {one.schedule} {hole.moment.isoformat()}: {hole.words}")
            if found > len(shown):
                print(f"{kind} {one.schedule}: {found - len(shown):,} more")
    rows = [
        (
            one.schedule,
            f"{one.moments:,}",
            ", ".join(f"{count:,} {fate.lower()}" for fate, count in one.fates.most_common() if count),
            one.holes or "",
            one.doubles or "",
            one.note,
        )
        for one in report.schedules
    ]
    output.table(HEADINGS, rows, empty="no schedules")
    total = counted(sum(one.moments for one in report.schedules), "moment")
    span = f"{output.local(report.start)} to {output.local(report.end)}"
    wrong = f"{counted(report.holes, 'hole')}, {counted(report.doubles, 'double')}"
    print(f"{span}: {total}, {'nothing is lost' if report.sound else wrong}")

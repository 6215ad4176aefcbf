"""Now: what is due in each second of the next quarter of an hour, and how late the last one was."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from shike.clock import MICROS
from shike.model import Load, State
from shike.operate.ahead import Ahead, ahead
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console.live import Topic
from shike.server.console.page import CONSOLE, Page, shown
from shike.server.console.recent import SPAN_SECONDS, Recent, Sample
from shike.server.console.render import number, seconds, show
from shike.server.routes import Rule

if TYPE_CHECKING:
    from shike.server.desk import Desk

PAGE = Page(name="now", path="", place=10, letter="n", is_whole=True)
AHEAD_SECONDS: Final = 900
AHEAD_PERIOD: Final = 5.0
RECENT_PERIOD: Final = 1.0
ENDS_STEP: Final = 10  # seconds in one bar of what ended
LATEST: Final = 8
RECENT: Final = "now.recent"


async def page(ask: Ask[None, Nothing]) -> Reply:
    """The page, with the values of this moment; the stream goes on from there. A key of some queues has no such view:
    it begins with its runs."""
    if ask.who.queues:
        return Reply(status=303, raw=b"", headers={"location": f"{ask.visit.root}{CONSOLE}/runs"})
    coming, recent = await _ahead(ask.desk), await _recent(ask.desk)
    return show(ask, "now.html", page="now", coming=coming, recent=recent)


async def _ahead(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = await desk.live.shared("now.ahead", AHEAD_PERIOD, lambda: _read_ahead(desk))
    return found


async def _read_ahead(desk: Desk) -> dict[str, Any]:
    return told_ahead(await ahead(desk.store, await desk.store.schedules(), AHEAD_SECONDS))


def told_ahead(found: Ahead) -> dict[str, Any]:
    """For the page: a plot, a few figures, and who has most."""
    both = [one + other for one, other in zip(found.planned, found.delayed, strict=True)]
    first = next((place for place, runs in enumerate(both) if runs), None)
    series = [{"name": "planned", "y": found.planned, "color": "accent", "kind": "bars"}]
    if any(found.delayed):
        series.append({"name": "delayed", "y": found.delayed, "color": "calm", "kind": "bars"})
    return {
        "plot": {"x": [found.start + place for place in range(len(both))], "time": True, "least": 4, "series": series},
        "total": number(found.total) + ("+" if found.capped or found.delayed_capped else ""),
        "next": "–" if first is None else seconds(first + 1.0),
        "most": number(max(both, default=0)),
        "busiest": [{"name": name, "runs": runs} for name, runs in found.by_schedule.items()],
    }


async def _recent(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = await desk.live.shared("now.recent", RECENT_PERIOD, lambda: _read_recent(desk))
    return found


async def _read_recent(desk: Desk) -> dict[str, Any]:
    kept: Recent | None = desk.live.kept.get(RECENT)
    if kept is None:
        kept = desk.live.kept[RECENT] = Recent()
        desk.store.listen(kept.hear)
    now = await kept.read(desk.store)
    loads = [msgspec.json.decode(one.load, type=Load) for one in await desk.store.sessions() if one.load]
    return told_recent(kept, now) | {
        "busy": number(sum(load.busy for load in loads)),
        "slots": number(sum(load.slots for load in loads)),
    }


def told_recent(kept: Recent, now: int) -> dict[str, Any]:
    """For the page: lateness by second of the minute, what ended, and who was latest."""
    started = [one for one in kept.samples if one.started_at and one.due_at]
    late = sorted(max(0.0, _late(one)) for one in started)
    latest = sorted(started, key=_late, reverse=True)[:LATEST]
    failed = sum(one.state is State.DEAD for one in kept.samples)
    return {
        "late": _by_second(started),
        "ends": _ends(kept, now // MICROS),
        "p50": seconds(quantile(late, 0.5)),
        "p99": seconds(quantile(late, 0.99)),
        "max": seconds(late[-1] if late else None),
        "ended": number(sum(kept.ended.values())),
        "per_second": f"{sum(kept.ended.values()) / SPAN_SECONDS:.2f}",
        "dead": number(failed),
        "sampled": kept.is_sampled,
        "latest": [
            {"run": str(one.run_id), "task": one.task, "late": seconds(_late(one)), "state": one.state.name}
            for one in latest
        ],
    }


def _late(one: Sample) -> float:
    return (one.started_at - one.due_at) / MICROS


def _by_second(samples: Sequence[Sample]) -> dict[str, Any]:
    """Herds at :00 are seen here: who is due when many are waits for the others."""
    by_second: dict[int, list[float]] = defaultdict(list)
    for one in samples:
        by_second[one.due_at // MICROS % 60].append(max(0.0, _late(one)))
    columns: dict[str, list[float | None]] = {"max": [], "p99": [], "p50": []}
    for second in range(60):
        late = sorted(by_second.get(second, []))
        columns["max"].append(late[-1] if late else None)
        columns["p99"].append(quantile(late, 0.99))
        columns["p50"].append(quantile(late, 0.5))
    colors = {"max": "line-strong", "p99": "warn", "p50": "accent"}
    return {
        "x": list(range(60)),
        "unit": "s",
        "least": 0.05,
        "name": "second",
        "series": [{"name": name, "y": y, "color": colors[name], "kind": "bars"} for name, y in columns.items()],
    }


def _ends(kept: Recent, now: int) -> dict[str, Any]:
    """Per ENDS_STEP seconds: all that ended, and of those looked up the dead."""
    last = now // ENDS_STEP
    steps = SPAN_SECONDS // ENDS_STEP
    all_, dead = [0] * steps, [0] * steps
    for second, runs in kept.ended.items():
        if 0 <= (place := second // ENDS_STEP - last + steps - 1) < steps:
            all_[place] += runs
    for one in kept.samples:
        place = one.ended_at // MICROS // ENDS_STEP - last + steps - 1
        if one.state is State.DEAD and 0 <= place < steps:
            dead[place] += 1
    return {
        "x": [(last - steps + 1 + place) * ENDS_STEP for place in range(steps)],
        "time": True,
        "least": 4,
        "series": [
            {"name": "ended", "y": all_, "color": "good", "kind": "bars"},
            {"name": "dead", "y": dead, "color": "bad", "kind": "bars"},
        ],
    }


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank quantile of values in order; None of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


TOPICS = (
    Topic(name="ahead", seconds=AHEAD_PERIOD, read=_ahead),
    Topic(name="recent", seconds=RECENT_PERIOD, read=_recent),
)
ROUTES = (
    shown("", page, rule=Rule.QUEUE, words="Now: what is due in the next 15 minutes, and how late the last 15 were."),
)

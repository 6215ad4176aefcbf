"""Workers: their load, slots, lanes and tags; and why a run went to the one that has it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from shike.operate import workers
from shike.operate.explain import explain
from shike.operate.workers import WorkerFacts
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console.live import Topic
from shike.server.console.page import Page, shown
from shike.server.console.render import number, show
from shike.server.desk import Desk
from shike.server.paging import number_of
from shike.server.runs import found

PAGE = Page(name="workers", path="/workers", place=50, letter="w")
SHARED_SECONDS: Final = 1.0
SILENT_SHARE: Final = 0.5  # of the lease gone without a beat: soon it will be missed


class Run(Struct, frozen=True, forbid_unknown_fields=True):
    """A run's id."""

    run: Annotated[str, Meta(max_length=20)] = ""


async def page(ask: Ask[None, Nothing]) -> Reply:
    """All that are there; for a key of some queues those that may serve one of them."""
    rows = [one for one in await _listing(ask.desk) if _concerns(ask, one)]
    template = "workers_table.html" if ask.visit.is_part else "workers.html"
    slots = sum(one.load.slots for one in rows if one.load)
    busy = sum(one.load.busy for one in rows if one.load)
    return show(
        ask, template, page="workers", rows=rows, slots=number(slots), busy=number(busy),
        lanes=number(sum(one.lane_runs for one in rows)), silent=SILENT_SHARE,
    )  # fmt: skip


def _concerns(ask: Ask[Any, Any], one: WorkerFacts) -> bool:
    return one.queues is None or not one.queues or any(map(ask.who.covers, one.queues))


async def _listing(desk: Desk) -> list[WorkerFacts]:
    async def look() -> list[WorkerFacts]:
        return await workers.listing(desk.store)

    found_ones: list[WorkerFacts] = await desk.live.shared("workers", SHARED_SECONDS, look)
    return found_ones


async def why(ask: Ask[None, Run]) -> Reply:
    """Why this worker: the decision of a router, made again from the snapshot that it names."""
    run_id = number_of(ask.query.run.strip())
    await found(ask, run_id)
    return show(ask, "workers_why.html", page="workers", why=await explain(ask.desk.store, ask.desk.clock, run_id))


async def _beats(desk: Desk) -> Any:
    """Grows with each look: whoever looks at workers reads them anew."""
    rows = await _listing(desk)
    return {"busy": [(one.session, one.load.busy if one.load else 0, one.lane_runs) for one in rows]}


TOPICS = (Topic(name="workers", seconds=1.0, read=_beats),)
ROUTES = (
    shown("/workers", page, words="Live workers: load, slots, lanes, tags."),
    shown("/workers/why", why, query=Run, words="Why a run went to the worker that has it."),
)

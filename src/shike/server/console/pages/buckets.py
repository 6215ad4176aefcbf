"""Buckets: which node looks after which range, under which epoch, how late it is; and why there are so many."""

from __future__ import annotations

from typing import Any, Final

from shike.operate import nodes
from shike.operate.nodes import BucketFacts, NodeFacts
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console.live import Topic
from shike.server.console.page import Page, shown
from shike.server.console.render import number, show
from shike.server.desk import Desk
from shike.server.routes import Rule

PAGE = Page(name="buckets", path="/buckets", place=60, letter="b", is_whole=True)
SHARED_SECONDS: Final = 1.0
LATE_MS: Final = 100
DECISIONS: Final = 20


async def page(ask: Ask[None, Nothing]) -> Reply:
    """All buckets, as a map of the virtual ones, and by node."""
    found, decided = await ask.desk.live.shared("buckets", SHARED_SECONDS, lambda: _read(ask.desk))
    rows = sorted(((bucket, node) for node in found for bucket in node.buckets), key=lambda pair: pair[0].low)
    template = "buckets_body.html" if ask.visit.is_part else "buckets.html"
    return show(
        ask, template, page="buckets", nodes=found, rows=rows, decisions=decided[:DECISIONS],
        cells=_cells(rows, ask.desk.store.virtual_buckets), virtual=number(ask.desk.store.virtual_buckets),
        late=LATE_MS, worst=max((bucket.late_ms for bucket, _ in rows), default=0),
    )  # fmt: skip


async def _read(desk: Desk) -> tuple[list[NodeFacts], Any]:
    found = [nodes.shortened(one) for one in await nodes.listing(desk.store)]
    return found, await nodes.decisions(desk.store)


def _cells(rows: list[tuple[BucketFacts, NodeFacts]], count: int) -> list[dict[str, Any]]:
    """Each bucket as a stretch of a line that is 1,000 wide."""
    names = {session: place for place, session in enumerate(dict.fromkeys(node.session for _, node in rows))}
    return [
        {
            "x": round(1_000 * bucket.low / count, 2),
            "width": round(1_000 * (bucket.high - bucket.low + 1) / count, 2),
            "tone": names[node.session] % 4 if node.session else "nobody", "bucket": bucket, "node": node,
        }
        for bucket, node in rows
    ]  # fmt: skip


async def _lateness(desk: Desk) -> Any:
    found, decided = await desk.live.shared("buckets", SHARED_SECONDS, lambda: _read(desk))
    told = [(bucket.low, bucket.epoch, bucket.late_ms) for node in found for bucket in node.buckets]
    return {"buckets": told, "decisions": decided[0].number if decided else 0}


TOPICS = (Topic(name="buckets", seconds=1.0, read=_lateness),)
ROUTES = (
    shown("/buckets", page, rule=Rule.WHOLE, words="Buckets: owner, epoch, lateness; and the decisions about them."),
)

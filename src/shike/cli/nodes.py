"""`shike nodes`: who looks after which buckets, and why there are so many of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.where import ANYWHERE, Where, at_desk
from shike.operate import nodes as facts

RANGES_SHOWN = 8


def nodes(
    *,
    decisions: Annotated[
        bool, Parameter(help="The last decisions about buckets, and their reasons.", negative="")
    ] = False,
    where: Where = ANYWHERE,
) -> int:
    """Nodes, their buckets (ranges of virtual buckets), epochs and lateness."""
    return _decisions(where) if decisions else _nodes(where)


def _nodes(where: Where) -> int:
    found = at_desk(where, lambda desk: facts.listing(desk.store))
    if where.json:
        output.as_json({"nodes": found})
    else:
        rows = [
            (
                node.name or "(nobody)",
                node.kind,
                f"{node.host}:{node.pid}" if node.name else "",
                node.since,
                len(node.buckets),
                _ranges(node.buckets),
                max((bucket.epoch for bucket in node.buckets), default=""),
                output.seconds(node.late_ms / 1000) if node.late_ms else "",
            )
            for node in found
        ]
        headings = ("node", "kind", "host", "since", "buckets", "virtual", "epoch", "late")
        output.table(headings, rows, empty="no node is there; start one with `shike up` or `shike scheduler`")
    return FINE if all(node.name for node in found) else FOUND


def _ranges(buckets: Sequence[facts.BucketFacts]) -> str:
    spelt = [f"{one.low}-{one.high}" if one.low < one.high else str(one.low) for one in buckets]
    more = len(spelt) - RANGES_SHOWN
    return ", ".join(spelt[:RANGES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _decisions(where: Where) -> int:
    found = at_desk(where, lambda desk: facts.decisions(desk.store))
    if where.json:
        output.as_json({"decisions": found})
    else:
        rows = [(one.number, one.at, one.buckets, one.nodes, one.reason) for one in found]
        output.table(("", "at", "buckets", "nodes", "reason"), rows, empty="nothing has been decided yet")
    return FINE

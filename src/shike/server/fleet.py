"""Who does it: workers, nodes with their buckets, and why there are so many of these."""

from __future__ import annotations

from msgspec import Struct

from shike.operate import nodes, workers
from shike.operate.nodes import DecisionFacts, NodeFacts
from shike.operate.workers import WorkerFacts
from shike.server.ask import Ask, Nothing
from shike.server.roles import Role
from shike.server.routes import API, Route, Rule


class WorkersList(Struct, frozen=True, kw_only=True):
    """Live workers, in the order in which they came."""

    workers: list[WorkerFacts]


class NodesList(Struct, frozen=True, kw_only=True):
    """Live nodes with their buckets, and the last decisions about these."""

    nodes: list[NodeFacts]
    decisions: list[DecisionFacts]


async def workers_list(ask: Ask[None, Nothing]) -> WorkersList:
    """All that are there; for a key of some queues those that may serve one of them."""
    found = await workers.listing(ask.desk.store)
    return WorkersList(
        workers=[one for one in found if one.queues is None or any(map(ask.who.covers, one.queues)) or not one.queues]
    )


async def nodes_list(ask: Ask[None, Nothing]) -> NodesList:
    """All that are there."""
    store = ask.desk.store
    found = [nodes.shortened(one) for one in await nodes.listing(store)]
    return NodesList(nodes=found, decisions=await nodes.decisions(store))


ROUTES = (
    Route(
        verb="GET", path=f"{API}/workers", role=Role.VIEWER, rule=Rule.QUEUE, handler=workers_list, answer=WorkersList,
        words="Live workers: what each serves, and how long its lease still lasts.",
    ),
    Route(
        verb="GET", path=f"{API}/nodes", role=Role.VIEWER, rule=Rule.WHOLE, handler=nodes_list, answer=NodesList,
        words="Live nodes, their buckets and how late they are; and why buckets changed.",
    ),
)  # fmt: skip

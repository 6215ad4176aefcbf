"""Graphs of work over HTTP: submit one with named nodes, look at it, take it back; approve what waits for a person."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.errors import BadArguments, BadField, BadInput, GraphCycle, NotFound
from shike.graph import Graph, Node
from shike.operate import approvals, graphs
from shike.operate.accept import EMPTY
from shike.operate.graphs import GraphFacts
from shike.secret import redacted
from shike.server import reading
from shike.server.ask import Ask, Nothing, Reply
from shike.server.bounds import BULK_BYTES_MAX
from shike.server.calls import call_of_work, placed
from shike.server.paging import number_of
from shike.server.roles import Role
from shike.server.routes import API, Logged, Route, Rule
from shike.server.runs import found
from shike.server.shapes import NONE, Digest, MaybeWhy, NewGraph, NewNode, NodesWanted
from shike.store.guards import Absent

HOME: Final = f"{API}/graphs"
RESULT: Final = "$result"  # an object of this one name, in a node's arguments


class Accepted(Struct, frozen=True, kw_only=True):
    """A stored graph, and the run of each node. `fresh` is false where one with the same key was there before."""

    graph: str
    fresh: bool
    runs: dict[str, str]


class Cancelled(Struct, frozen=True, kw_only=True):
    """How many runs were taken back, or asked to stop."""

    graph: str
    cancelled: int


class Decided(Struct, frozen=True, kw_only=True):
    """An approval that counted, once."""

    run: str
    granted: bool


class RequestsList(Struct, frozen=True, kw_only=True):
    """What waits for a person, newest first."""

    requests: list[approvals.Request]


async def submit(ask: Ask[NewGraph, Nothing]) -> Reply:
    """Store all runs, or none."""
    wanted, idempotency_key = ask.body, ask.idempotency_key
    graph = Graph(ask.desk.client)
    names = {node.name: number for number, node in enumerate(wanted.nodes)}
    for number, node in enumerate(wanted.nodes):
        if names[node.name] != number:
            raise BadField(f"two nodes are called {node.name!r}", field=f"nodes[{names[node.name]}].name")
    made = [_add(ask, graph, node, f"nodes[{number}].") for number, node in enumerate(wanted.nodes)]
    for number, node in enumerate(wanted.nodes):
        _Ties(made, names, node, number).tie()
    key = wanted.key or (f"http/{ask.who.id}/{idempotency_key}" if idempotency_key else "")
    try:
        entries = await graph.entries([Absent(key, wanted.key_seconds)] if key else [])
    except GraphCycle as error:
        raise BadField(str(error), field=f"nodes[{names[error.cycle[0]]}].after") from None
    except BadArguments as error:
        raise BadField(str(error), field="nodes") from None
    answers = await ask.desk.client.deliver(entries)
    await graph.stored(answers[0].run_id, fresh=answers[0].fresh)
    accepted = Accepted(graph=graph.id, fresh=graph.fresh, runs={node.name: node.handle.id for node in graph.nodes})
    headers = {"location": f"{HOME}/{graph.id}"}
    return Reply(value=accepted, status=201 if graph.fresh else 200, headers=headers)


def _add(ask: Ask[NewGraph, Nothing], graph: Graph, node: NewNode, where: str) -> Node[Any]:
    try:
        if not node.task:
            raise BadField("a node is a run of a task: name it", field="task")
        raw = EMPTY if node.arguments is NONE else reading.json_object(node.arguments, "arguments")
        takes = RESULT.encode() in raw
        call = call_of_work(ask.who, ask.desk.tasks, node, node.task, None if takes else raw, ask.desk.clock.wall())
        added = graph.add(call, approval=node.approval_seconds)
    except BadInput as error:
        raise placed(error, where) from None
    added.name = node.name
    return added


class _Ties:
    """What one node of a graph waits for."""

    def __init__(self, made: list[Node[Any]], names: dict[str, int], node: NewNode, number: int) -> None:
        self._made = made
        self._names = names
        self._node = node
        self._child = made[number]
        self._where = f"nodes[{number}]."

    def tie(self) -> None:
        """Raises `BadField` for a node that is not there."""
        node, child = self._node, self._child
        if RESULT.encode() in bytes(node.arguments):
            self._take()
        for place, name in enumerate(node.after):
            child.after(self._parent(name, f"after[{place}]"), on_parent=node.on_parent)
        for name, branch in node.when.items():
            parent = self._parent(name, f"when.{name}")
            try:
                child.when(parent, branch, on_parent=node.on_parent)
            except BadInput as error:
                raise BadField(str(error), field=f"{self._where}when.{name}") from None

    def _parent(self, name: Any, field: str) -> Node[Any]:
        if not isinstance(name, str) or name not in self._names:
            raise BadField(
                f"no node is called {name!r:.80}: a node waits for others of its graph", field=f"{self._where}{field}"
            )
        return self._made[self._names[name]]

    def _take(self) -> None:
        """Put results into their places, and wait for the nodes that they are of."""
        child, parents = self._child, list[Node[Any]]()
        values = self._filled(msgspec.json.decode(self._node.arguments), parents)
        definition = child.call.definition
        try:
            named = values if definition.handler is None else definition.by_name((), values)
        except BadInput as error:
            raise BadField(str(error), field=f"{self._where}arguments") from None
        child.call = replace(child.call, payload=b"", promised=named)
        child.after(*parents, on_parent=self._node.on_parent)

    def _filled(self, value: Any, parents: list[Node[Any]]) -> Any:
        if isinstance(value, dict):
            if value.keys() == {RESULT}:
                parents.append(self._parent(value[RESULT], "arguments"))
                return parents[-1].result
            return {name: self._filled(item, parents) for name, item in value.items()}
        return [self._filled(item, parents) for item in value] if isinstance(value, list) else value


async def show(ask: Ask[None, NodesWanted]) -> GraphFacts:
    """A graph as it is now; of a key of some queues what lies in these."""
    run_id = number_of(ask.path["graph"])
    facts = await graphs.picture(ask.desk.client, run_id, skip=ask.query.cursor, limit=ask.query.limit)
    mine = tuple([node for node in facts.nodes if ask.who.covers(node.queue)])
    if not mine:
        raise NotFound(f"there is no graph {run_id}")
    return msgspec.structs.replace(facts, nodes=mine)


async def cancel(ask: Ask[MaybeWhy, Nothing]) -> Cancelled:
    """Take back all of it that is not over."""
    run_id = number_of(ask.path["graph"])
    await _all_mine(ask, run_id)
    ask.after = ask.body
    count = await graphs.cancel(ask.desk.client, run_id, ask.body.reason)
    return Cancelled(graph=str(run_id), cancelled=count)


async def _all_mine(ask: Ask[Any, Any], run_id: int) -> None:
    """Raises `NotFound` for a graph with a run in a queue that is none of the caller's."""
    if not ask.who.queues:
        return
    skip, following = 0, "0"
    while following:
        facts = await graphs.picture(ask.desk.client, run_id, skip=skip)
        for node in facts.nodes:
            ask.who.may_see(node.queue, f"graph {run_id}")
        following = facts.next
        skip = int(following or 0)


# ---------------------------------------------------------------- what waits for a person


async def requests(ask: Ask[None, Nothing]) -> RequestsList:
    """All runs that wait for approval, with what each is about to do."""
    waiting = await approvals.requests(ask.desk.client)
    mine = [one for one in waiting if not ask.who.queues or ask.who.covers(await _queue(ask, one.run))]
    return RequestsList(requests=[_hidden(one) for one in mine])


async def _queue(ask: Ask[Any, Any], run: str) -> str:
    known = await ask.desk.store.find(int(run))
    return known.run.queue if known is not None else ""


async def request(ask: Ask[None, Nothing]) -> approvals.Request:
    """What one run waits for."""
    run_id = number_of(ask.path["run"])
    await found(ask, run_id)
    return _hidden(await approvals.request(ask.desk.client, run_id))


def _hidden(one: approvals.Request) -> approvals.Request:
    return replace(one, arguments=redacted(one.arguments))


async def approve(ask: Ask[Digest, Nothing]) -> Decided:
    """Let it begin."""
    return await _decide(ask, granted=True)


async def refuse(ask: Ask[Digest, Nothing]) -> Decided:
    """Let it never begin."""
    return await _decide(ask, granted=False)


async def _decide(ask: Ask[Digest, Nothing], *, granted: bool) -> Decided:
    run_id = number_of(ask.path["run"])
    await found(ask, run_id)
    ask.after = ask.body
    decide = approvals.approve if granted else approvals.refuse
    await decide(ask.desk.client, run_id, ask.body.digest, by=f"{ask.who.name} ({ask.who.id})")
    return Decided(run=str(run_id), granted=granted)


EXAMPLE: Final[dict[str, Any]] = {
    "nodes": [
        {"name": "page", "task": "fetch", "arguments": {"url": "https://example.org"}},
        {"name": "words", "task": "count", "arguments": {"text": {"$result": "page"}}},
        {"name": "publish", "task": "publish", "after": ["words"], "approval_seconds": 86400},
    ]
}

ROUTES = (
    Route(
        verb="POST", path=HOME, role=Role.OPERATOR, also=(Role.SCHEDULER,), rule=Rule.QUEUE, handler=submit,
        words="Store a graph of named nodes in one step: all or none.", body=NewGraph, answer=Accepted, status=201,
        logged=Logged.SUMMED, body_bytes_max=BULK_BYTES_MAX, example=EXAMPLE,
    ),
    Route(
        verb="GET", path=f"{HOME}/{{graph}}", role=Role.VIEWER, also=(Role.SCHEDULER,), rule=Rule.QUEUE, handler=show,
        query=NodesWanted, answer=GraphFacts,
        words="A graph as it is now: each node, its state, and what it waits for. Any of its runs names it.",
    ),
    Route(
        verb="POST", path=f"{HOME}/{{graph}}/cancel", role=Role.OPERATOR, rule=Rule.QUEUE, handler=cancel,
        body=MaybeWhy, answer=Cancelled, logged=Logged.EACH, example={"reason": "no longer wanted"},
        words="Take back every run of a graph that is not over; ask those that run to stop.",
    ),
    Route(
        verb="GET", path=f"{API}/approvals", role=Role.VIEWER, rule=Rule.QUEUE, handler=requests, answer=RequestsList,
        words="Runs that wait for a person, with what each is about to do.",
    ),
    Route(
        verb="GET", path=f"{API}/runs/{{run}}/approval", role=Role.VIEWER, rule=Rule.QUEUE, handler=request,
        answer=approvals.Request, words="What one run waits to be approved for; its `digest` stands for all of it.",
    ),
    Route(
        verb="POST", path=f"{API}/runs/{{run}}/approve", role=Role.OPERATOR, rule=Rule.QUEUE, handler=approve,
        body=Digest, answer=Decided, words="Let it begin: once, in time, and for exactly what was looked at.",
        logged=Logged.EACH, example={"digest": "sha256:…"},
    ),
    Route(
        verb="POST", path=f"{API}/runs/{{run}}/refuse", role=Role.OPERATOR, rule=Rule.QUEUE, handler=refuse,
        body=Digest, answer=Decided, words="Say no: the run is cancelled.", logged=Logged.EACH,
        example={"digest": "sha256:…"},
    ),
)  # fmt: skip

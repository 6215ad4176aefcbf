"""A graph of work: calls of tasks that wait for each other, take each other's results, and are stored in one step."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Generic, TypeVar, cast

from msgspec.structs import replace

from shike.bounds import DEDUPE_SECONDS, GRAIN_ITEMS, NAME_CHARS_MAX
from shike.call import Call, Duration, Handle, Task, check_key, key_seconds
from shike.client import Client
from shike.clock import MICROS
from shike.counted import counted
from shike.errors import BadInput, BadTime, Conflict, GraphError, MissingParent
from shike.ids.runs import BUCKET_BITS
from shike.lazy import Lazy
from shike.model import Gang, OnParent, Shard, State, Ties
from shike.shards import as_member, band_together, refuse_mixed
from shike.shards import at_home as _at_home
from shike.store.guards import Absent, Entry, Insert
from shike.store.verbs import Answer, Move
from shike.task import member
from shike.track.approval import first_gate
from shike.track.grain import Part, sizes
from shike.track.graph import Edge, ordered, ties_of
from shike.track.handover import Promised, promised_in, written
from shike.track.settle import with_gate
from shike.trigger.duration import parse_duration

R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")

CANCELLED_AT_ONCE = 1_000  # in one step of the store
CARRIED = 200  # runs that one other brings with it: a store's script counts them in a byte
APPROVAL_SECONDS_MAX = 90 * 24 * 3600.0  # nobody remembers what it was about


class Node(Generic[R]):
    """One run of a graph: a call, and what it waits for."""

    def __init__(self, graph: Graph, number: int, call: Call[R], approval_seconds: float) -> None:
        self._graph = graph
        self.number = number
        self.call = call
        self.approval_seconds = approval_seconds
        self.name = ""
        """What a person calls it; its run is found by the business key `GRAPH/NAME`."""
        self.key = ""
        """… or by this one: nothing is remembered of it, but for what `Graph.entries` is told."""
        self.edges: dict[int, Edge] = {}
        self.shard: Shard | None = None
        self.gang: Gang | None = None
        self._handle: Handle[R] | None = None

    @property
    def result(self) -> R:
        """What its run will return: to be given as an argument to other calls of this graph, whole, or within lists
        and dicts. A run that takes it waits for this one. Here and now there is nothing to look at in it."""
        return cast(R, Promised(self))

    @property
    def handle(self) -> Handle[R]:
        """Its run, once the graph is submitted: to wait for, or to cancel."""
        if self._handle is None:
            raise BadInput(f"{self!r} is not stored yet: submit its graph first")
        return self._handle

    def after(self, *parents: Node[Any], on_parent: OnParent | str = OnParent.SKIP) -> Node[R]:
        """Begin only when these runs are over. `on_parent`: what becomes of this one where one of them has no success:
        `skip` (it is skipped, with the reason), `fail` (it is a dead letter) or `continue` (it runs all the same)."""
        how = member(OnParent, on_parent)
        for parent in parents:
            self._tie(parent, how, "")
        return self

    def when(self, parent: Node[Any], branch: str, *, on_parent: OnParent | str = OnParent.SKIP) -> Node[R]:
        """Begin only if this parent chooses the branch: it returns that text, or a list that holds it. Else this run is
        skipped, with the reason."""
        if not isinstance(branch, str) or not branch.isprintable() or not 0 < len(branch) <= NAME_CHARS_MAX:
            raise BadInput(f"branch {branch!r}: a short text, as its parent returns it")
        if any(sign in branch for sign in "'\"\\"):
            raise BadInput(f"branch {branch!r}: a text without quotes and backslashes")
        self._tie(parent, member(OnParent, on_parent), branch)
        return self

    def _tie(self, parent: Node[Any], how: OnParent, branch: str) -> None:
        self._graph.changes()
        if not isinstance(parent, Node) or parent._graph is not self._graph:
            raise MissingParent(f"{self!r} cannot wait for {parent!r}: that is no run of this graph", child=repr(self))
        self.edges[parent.number] = Edge(parent.number, how, branch)

    def stored(self, handle: Handle[R]) -> None:
        self._handle = handle

    def __repr__(self) -> str:
        return self.name or self.key or f"<{self.call.definition.name}, run {self.number + 1} of a graph>"


class Graph:
    """Runs that depend on each other, under construction; `app.graph()` makes one.

        graph = app.graph()
        page = graph.add(fetch.bind("https://example.org"))
        tree = graph.add(parse.bind(page.result))          # takes a result, and so waits for it
        graph.add(publish.bind(tree.result), approval="1d").after(check)
        graph.submit()

    All runs are stored in one step or none. A run is freed in the very step that ends the last of its parents.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.nodes: list[Node[Any]] = []
        self.fresh = True
        """False where a graph with the same key was there before: this stands for that one."""
        self._id = 0
        self._order: list[int] = []  # worked out, since something was added last
        self._items: dict[int, int] = {}  # node -> how many items it has, of work that was split

    @property
    def id(self) -> str:
        """Of the graph, once it is submitted; it is the id of its first run."""
        if not self._id:
            raise BadInput("this graph is not stored yet: submit it first (in async code, await that)")
        return str(self._id)

    def add(
        self, call: Call[R], *, on_parent: OnParent | str = OnParent.SKIP, approval: Duration | None = None
    ) -> Node[R]:
        """A further run. Where its arguments hold results of other runs it waits for those; `on_parent` says what
        becomes of it where one of them does not succeed (`continue`: it gets None for that result).

        `approval`: once its parents are over it waits for a person, at most so long; then it is skipped.
        """
        self.changes()
        if not isinstance(call, Call):
            raise BadInput(f"{call!r:.60} is no call of a task; write graph.add(task.bind(…))")
        if call.how.key:
            raise BadInput(
                "a run of a graph has no business key: it would be another's, or nobody's, if that was known"
            )
        node = Node(self, len(self.nodes), call, _approval_seconds(approval))
        node.after(*promised_in(call.promised), on_parent=on_parent)
        self.nodes.append(node)
        return node

    def split(
        self,
        task: Task[[list[T]], R],
        items: Sequence[T],
        *,
        grain: int = GRAIN_ITEMS,
        workers: int = 1,
        on_parent: OnParent | str = OnParent.SKIP,
    ) -> list[Node[R]]:
        """One task over many items, in parts of about `grain`; at least one for each of `workers`. What they make goes
        on as `[part.result for part in parts]`. `measured` tells how long they took, `shike.track.grain.adapted` what
        grain to take next time. Raises `BadInput` for a grain that is none, `TooLarge` for too many parts.
        """
        return self._parts(task, items, sizes(len(items), grain, workers=workers), on_parent, at_home=False)

    def shards(
        self,
        task: Task[[list[T]], R],
        items: Sequence[T],
        *,
        grain: int = GRAIN_ITEMS,
        workers: int = 1,
        on_parent: OnParent | str = OnParent.SKIP,
    ) -> list[Node[R]]:
        """As `split`, but each worker has a stretch of the items for its own: parts are divided evenly among the
        workers that are there, divided anew when one comes or goes, and those of a dead one fail over. A part is one
        run, so no item is in two hands at once: a late report of a part that was moved on is refused by its token.
        """
        return self._parts(task, items, sizes(len(items), grain, workers=workers), on_parent, at_home=True)

    def _parts(
        self,
        task: Task[[list[T]], R],
        items: Sequence[T],
        counts: Sequence[int],
        on_parent: OnParent | str,
        *,
        at_home: bool,
    ) -> list[Node[R]]:
        nodes, start = list[Node[R]](), 0
        for index, size in enumerate(counts):
            shard, call = Shard(index, len(counts)), task.bind(list(items[start : start + size]))
            node = self.add(_at_home(call, shard) if at_home else call, on_parent=on_parent)
            node.shard = shard
            nodes.append(node)
            start += size
            self._items[node.number] = size
        return nodes

    def map_reduce(
        self,
        mapper: Task[[list[T]], R],
        items: Sequence[T],
        reducer: Task[[list[R]], S],
        *,
        grain: int = GRAIN_ITEMS,
        workers: int = 1,
        fan_in: int = 0,
        on_parent: OnParent | str = OnParent.SKIP,
    ) -> Node[S]:
        """`mapper` over the items, in parts, and `reducer` over what they make:

            total = graph.map_reduce(count_words, pages, add_up, grain=100)

        `fan_in`: no reducer takes more than so many results; then it is called on what it made itself, level by level,
        and has to take that. 0: one takes all.
        """
        if fan_in and fan_in < 2:
            raise BadInput(f"fan_in={fan_in}: 0 for one reducer, or at least 2")
        level: list[Node[Any]] = [*self.split(mapper, items, grain=grain, workers=workers, on_parent=on_parent)]
        while fan_in and len(level) > fan_in:
            groups = [level[start : start + fan_in] for start in range(0, len(level), fan_in)]
            level = [self.add(reducer.bind([one.result for one in group]), on_parent=on_parent) for group in groups]
        return self.add(reducer.bind([one.result for one in level]), on_parent=on_parent)

    def gang(self, *nodes: Node[Any], timeout: Duration = 30.0, least: int | None = None) -> None:
        """These runs begin together or not at all: each takes a slot and waits, until `least` of them (all, where it is
        not said) have one; then all that have one begin, and the others as soon as they get one. If that does not come
        about within `timeout` of the first, all slots are given back, and they try again after a rest.

        They wait for the same parents, and for no approval. Those that cannot be placed at all should have `expires`.
        Raises `BadInput`, or `TooLarge` for more than GANG_RUNS_MAX.
        """
        self.changes()
        for node in nodes:
            if not isinstance(node, Node) or node._graph is not self:
                raise MissingParent(f"{node!r} is no run of this graph", child=repr(node))
        band_together(nodes, timeout, least)

    def measured(self) -> Any:
        """How long the parts of `split` took that are a success, each with its number of items: a list of
        `shike.track.grain.Part`. In async code, await it."""
        return self._client.both("Graph.measured", self._measured)

    async def _measured(self) -> list[Part]:
        store, parts = await self._client.store(), list[Part]()
        for number, size in self._items.items():
            attempts = await store.attempts(int(self.nodes[number].handle.id))
            parts += [
                Part(size, (one.ended_at - one.claimed_at) / MICROS) for one in attempts if one.state is State.SUCCESS
            ]
        return parts

    def submit(self, *, key: str | None = None, key_ttl: Duration = DEDUPE_SECONDS) -> Any:
        """Store all runs in one step; gives this graph again. In async code, await it. Raises `GraphCycle`,
        `MissingParent` or `TooLarge`, and then nothing was stored.

        `key`: while it is remembered (`key_ttl`), a second graph with the same key stores nothing, and stands for the
        first one (`fresh` is False); raises `Conflict` where that has other runs.
        """
        self.refuse_stored()
        keys = () if key is None else (Absent(check_key(key), key_seconds(key_ttl)),)
        self.order()  # what is wrong is said here, and not where it is awaited
        return self._client.both("Graph.submit", lambda: self._submit(keys))

    def cancel(self, reason: str = "the graph was cancelled") -> Any:
        """Take back every run that is not over, and ask those that run to stop. In async code, await it.
        Gives how many were taken back or asked."""
        return self._client.both("Graph.cancel", lambda: cancel(self._client, int(self.id), len(self.nodes), reason))

    def changes(self) -> None:
        """Something is added. Raises `GraphError` once it is stored."""
        self.refuse_stored()
        self._order.clear()

    def refuse_stored(self) -> None:
        if self._id:
            raise GraphError("this graph was submitted and cannot change any more; make another one with app.graph()")

    def order(self) -> list[int]:
        """The numbers of the nodes so that parents come first. Raises `GraphCycle`, `MissingParent`, `TooLarge`."""
        if not self._order:
            refuse_mixed(self.nodes)
            edges = [list(node.edges.values()) for node in self.nodes]
            self._order = ordered(edges, self.nodes)
        return self._order

    async def _submit(self, keys: Sequence[Absent]) -> Graph:
        try:
            answers = await self._client.deliver(await self.entries(keys))
            await self.stored(answers[0].run_id, fresh=answers[0].fresh)
        except BaseException:
            self._id = 0
            raise
        return self

    async def entries(self, keys: Sequence[Absent] = ()) -> list[Entry]:
        """What is to be stored, all in one step. With keys it is a single entry that brings the others with it: it is
        stored if none of them is remembered. Afterwards call `stored` with the first answer."""
        order, client = self.order(), self._client
        spread = keys[0].key if keys else client.runtime.entropy.token_hex(8)
        first = await client.take_id(spread, len(order))
        await client.told.learn(await client.store(), [node.call.definition for node in self.nodes])
        self.refuse_stored()  # by another submission that was under way
        self._id = first
        found = self._entries(order, first)
        return [replace(carrying(found), guards=tuple(keys))] if keys else found

    async def stored(self, first: int, *, fresh: bool) -> None:
        """It is in the store from this run on. Raises `Conflict` where that is of another graph."""
        if not fresh:
            await self._refuse_other(first)
        self._id, self.fresh = first, fresh
        for place, number in enumerate(self.order()):
            node = self.nodes[number]
            node.stored(Handle(self._client, node.call.definition, None, first + (place << BUCKET_BITS), fresh))

    async def _refuse_other(self, first: int) -> None:
        store = await self._client.store()
        known = await store.find(first)
        root = self.nodes[self.order()[0]].call.definition.name
        ties = known.run.ties if known is not None else None
        if known is None or ties is None or (ties.graph, ties.size) != (first, len(self.nodes)):
            raise Conflict(
                f"this key was used for run {first}, which is no graph of {counted(len(self.nodes), 'run')} as this one"
            )
        if known.run.task != root:
            raise Conflict(f"this key was used for graph {first}, which begins with {known.run.task}, not with {root}")

    def _entries(self, order: Sequence[int], first: int) -> list[Entry]:
        nodes = [self.nodes[number] for number in order]
        places = {node.number: place for place, node in enumerate(nodes)}
        edges = [
            [Edge(places[edge.parent], edge.on_parent, edge.when) for edge in node.edges.values()] for node in nodes
        ]
        taken = {parent.number for node in nodes for parent in promised_in(node.call.promised)}
        now = self._client.runtime.clock.wall()
        return [
            self._entry(node, first + (place << BUCKET_BITS), tie, places, node.number in taken, now)
            for place, (node, tie) in enumerate(
                zip(nodes, ties_of(first, edges, [node.approval_seconds for node in nodes]), strict=True)
            )
        ]

    def _entry(self, node: Node[Any], run_id: int, ties: Ties, places: dict[int, int], taken: bool, now: int) -> Entry:
        call = node.call
        if taken:
            call = replace(call, how=replace(call.how, keep_result=True))
        unknown = [name for name, value in (call.promised or {}).items() if promised_in(value)]
        if call.promised is not None:
            here = places[node.number]
            what = f"arguments of task {call.definition.name!r}"
            payload, name = written(call.promised, lambda parent: places[parent.number] - here, what)
            call = replace(call, payload=payload, how=replace(call.how, takes=name), promised=None)
        limited = self._client.told.gate(call.definition, call.payload, unknown)
        if call.definition.limits is not None and node.gang is not None:
            raise GraphError(f"{node!r} has limits, and its gang begins together or not at all: leave one of them out")
        entry = as_member(call.entry(run_id, now, self._client.codec, limited), node, ties.graph)
        gate, options = first_gate(ties, limited), entry.run.options
        if gate != limited:
            options = with_gate(options, limited)
        key = node.key or (f"{ties.graph}/{node.name}" if node.name else "")
        return replace(entry, run=replace(entry.run, ties=ties, gate=gate, key=key, options=options))

    def __await__(self) -> Generator[Any, None, Graph]:
        return cast(Lazy[Graph], self.submit()).__await__()

    def __repr__(self) -> str:
        return f"<graph {self._id or 'not stored yet'} of {counted(len(self.nodes), 'run')}>"


def carrying(entries: Sequence[Entry]) -> Entry:
    """The first entry, which brings all others with it; where they are many, the last of these brings the rest."""
    root, others, rest = entries[0], list(entries[1 : 1 + CARRIED]), entries[1 + CARRIED :]
    if rest:
        others[-1] = carrying([others[-1], *rest])
    return replace(root, effects=tuple(map(Insert, others)))


async def cancel(client: Client, graph: int, size: int, reason: str) -> int:
    """Take back the runs of a graph, children first, so that none is freed meanwhile; how many were alive."""
    store = await client.store()
    ids = [graph + (number << BUCKET_BITS) for number in reversed(range(size))]
    alive = 0
    for start in range(0, size, CANCELLED_AT_ONCE):
        part = ids[start : start + CANCELLED_AT_ONCE]
        answers = await store.move([Move(run_id=one, version=0, to=State.CANCELLED, reason=reason) for one in part])
        alive += sum(answer in (Answer.ACCEPTED, Answer.ASKED) for answer in answers)
    return alive


def _approval_seconds(approval: Duration | None) -> float:
    if approval is None:
        return 0.0
    seconds = parse_duration(approval) / MICROS
    if not 0 < seconds <= APPROVAL_SECONDS_MAX:
        raise BadTime(f"approval={approval!r}: more than 0 and at most {APPROVAL_SECONDS_MAX / 86400:.0f} days")
    return seconds

"""Divided work: a run for each worker that is there, and parts that each know a home among the workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from shike.background import in_loop
from shike.bounds import BROADCAST_WORKERS_MAX, GANG_RUNS_MAX, GANG_SECONDS_MAX
from shike.call import Call, Duration, Handle, Handles, Task
from shike.client import Client
from shike.clock import MICROS
from shike.counted import counted
from shike.errors import BadInput, BadTime, GraphError, NoWorker, TooLarge
from shike.how import routed
from shike.ids.runs import BUCKET_BITS
from shike.lanes import hall_of
from shike.model import Gang, OnGone, Route, Shard
from shike.route.chooser import candidates
from shike.route.nouns import Candidate, Snapshot
from shike.route.tags import route_of
from shike.scheduler.workers import Fleet
from shike.store.base import Store
from shike.store.guards import Entry
from shike.task import member
from shike.track.grain import sizes
from shike.track.parts import as_part
from shike.trigger.duration import parse_duration

R = TypeVar("R")
T = TypeVar("T")


def broadcast(client: Client, call: Call[R], on_gone: OnGone | str) -> Handles[R]:
    """A run of this call for each worker that is there; see `Shike.broadcast`."""
    if not isinstance(call, Call):
        raise BadInput(f"{call!r:.60} is no call of a task; write app.broadcast(task.bind(…))")
    if call.how.key:
        raise BadInput("a broadcast has no business key: it is as many runs as there are workers")
    if call.definition.limits is not None:
        raise BadInput(f"{call.definition.name!r} has limits, and a broadcast waits for none: leave them out")
    call.refuse_promised()
    how = member(OnGone, on_gone)
    found = client.both("Shike.broadcast", lambda: _broadcast(client, call, how))
    return Handles(found) if in_loop() else Handles(None, found)


async def _broadcast(client: Client, call: Call[R], on_gone: OnGone) -> list[Handle[R]]:
    store = await client.store()
    workers = await there(client, store, call)
    if not workers:
        raise NoWorker(
            f"no worker that is open serves task {call.definition.name!r} in its queue, with the tags that it needs: "
            "start one, and send it again"
        )
    if len(workers) > BROADCAST_WORKERS_MAX:
        raise TooLarge(
            f"{len(workers):,} workers are more than one step can reach: broadcast to some of them, by tags",
            size=len(workers),
            limit=BROADCAST_WORKERS_MAX,
        )
    first = await client.take_id(client.runtime.entropy.token_hex(8), len(workers))
    now, route = client.runtime.clock.wall(), routed(call.definition, call.how) or Route()
    ids = [first + (number << BUCKET_BITS) for number in range(len(workers))]
    entries = []
    for index, (run_id, worker) in enumerate(zip(ids, workers, strict=True)):
        own = replace(route, session=worker.session, on_gone=on_gone)
        one = replace(call, how=replace(call.how, route=own)).entry(run_id, now, client.codec)
        entries.append(as_part(one, Shard(index, len(workers))))
    await client.deliver(entries)
    return [Handle(client, call.definition, None, run_id) for run_id in ids]


async def there(client: Client, store: Store, call: Call[Any]) -> list[Candidate]:
    """The open workers that may have such a run, in the order in which they came."""
    definition, how = call.definition, call.how
    workers = Fleet(client.runtime.clock, store.is_gone).look(await store.sessions(), ())
    route = routed(definition, how) or Route()
    queue = hall_of(how.queue or definition.queue)
    return candidates(Snapshot(id="", at=0, workers=workers), route, definition.name, queue)


def cut(task: Task[[list[T]], R], items: Sequence[T], grain: int, workers: int) -> list[tuple[Call[R], Shard, int]]:
    """A call for each part of the items, with its place and how many it has. Raises `BadInput`, `BadArguments` for
    items that the task does not take, and `TooLarge` for too many parts, or one whose items are too long."""
    check_task(task)
    if isinstance(items, str | bytes | bytearray | Mapping) or not isinstance(items, Sequence):
        raise BadInput(
            f"items={items!r:.60}: a list, or another sequence that can be cut; of anything else make one: list(…)"
        )
    counts, parts, start = sizes(len(items), grain, workers=workers), list[tuple[Call[R], Shard, int]](), 0
    for index, size in enumerate(counts):
        parts.append((task.bind(list(items[start : start + size])), Shard(index, len(counts)), size))
        start += size
    return parts


def check_task(task: Any) -> None:
    """Raises `BadInput` for what is none."""
    if not isinstance(task, Task):
        raise BadInput(f"{task!r:.60} is no task: give the function that @app.task made one, as graph.split(count, …)")


def check_fan_in(fan_in: int) -> None:
    """Raises `BadInput` for what is no number of results."""
    if isinstance(fan_in, bool) or not isinstance(fan_in, int) or fan_in < 0 or fan_in == 1:
        raise BadInput(f"fan_in={fan_in!r:.60}: 0 for one reducer, or at least 2")


def at_home(call: Call[R], shard: Shard) -> Call[R]:
    """The same call, whose run goes to the worker that this part is at home with, as long as that is there."""
    route = replace(routed(call.definition, call.how) or Route(), by="even", key=f"{shard.index}/{shard.total}")
    return replace(call, how=replace(call.how, route=route_of(route)))


class Member(Protocol):
    """A run of a graph, as far as a gang looks at it."""

    number: int
    shard: Shard | None
    gang: Gang | None
    approval_seconds: float

    @property
    def edges(self) -> Mapping[int, Any]: ...


def band_together(nodes: Sequence[Member], timeout: Duration, least: int | None) -> None:
    """Make a gang of these; see `Graph.gang`."""
    seconds = parse_duration(timeout) / MICROS
    least = len(nodes) if least is None else least
    if isinstance(least, bool) or not isinstance(least, int):
        raise BadInput(f"least={least!r}: a whole number of runs, or None for all of them")
    if not nodes or not 1 <= least <= len(nodes) or any(node.gang for node in nodes):
        raise BadInput(
            f"a gang of {counted(len(nodes), 'run')}, at least {least}: each in one gang, and 1 to all of them"
        )
    if len({node.number for node in nodes}) < len(nodes):
        raise BadInput("a run stands in this gang twice, and has one slot: it would wait for itself for ever")
    if len(nodes) > GANG_RUNS_MAX:
        raise TooLarge(f"a gang may have {GANG_RUNS_MAX} runs", size=len(nodes), limit=GANG_RUNS_MAX)
    if not 0 < seconds <= GANG_SECONDS_MAX:
        raise BadTime(f"timeout={timeout!r}: more than 0 and at most {GANG_SECONDS_MAX:g} s, while slots stand empty")
    for node in nodes:
        node.gang = Gang(f"{nodes[0].number}", len(nodes), least, seconds)


def refuse_mixed(nodes: Sequence[Member]) -> None:
    """Raises `GraphError` for a gang whose members cannot begin together, as they wait for different things."""
    edges: dict[str, Any] = {}
    for node in nodes:
        if node.gang is not None and (
            node.approval_seconds or edges.setdefault(node.gang.id, node.edges) != node.edges
        ):
            raise GraphError(f"{node!r} cannot begin with its gang: those wait for the same parents, and no approval")


def as_member(entry: Entry, node: Member, graph: int) -> Entry:
    """The run of a node, with what it is a part of."""
    gang = replace(node.gang, id=f"{graph}.{node.gang.id}") if node.gang is not None else None
    return as_part(entry, node.shard, gang)

"""Divided work: a run for each worker that is there, and parts that each know a home among the workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from shike.background import in_loop
from shike.bounds import BROADCAST_WORKERS_MAX, GANG_RUNS_MAX, GANG_SECONDS_MAX
from shike.call import Call, Duration, Handle, Handles
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
from shike.track.parts import as_part
from shike.trigger.duration import parse_duration

R = TypeVar("R")


def broadcast(client: Client, call: Call[R], on_gone: OnGone | str) -> Handles[R]:
    """A run of this call for each worker that is there; see `Shike.broadcast`."""
    if not isinstance(call, Call):
        raise BadInput(f"{call!r:.60} is no call of a task; write app.broadcast(task.bind(…))")
    if call.how.key:
        raise BadInput("a broadcast has no business key: it is as many runs as there are workers")
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
    await client.told.learn(store, [call.definition])
    entries, gate = [], client.told.gate(call.definition, call.payload)
    for index, (run_id, worker) in enumerate(zip(ids, workers, strict=True)):
        own = replace(route, session=worker.session, on_gone=on_gone)
        one = replace(call, how=replace(call.how, route=own)).entry(run_id, now, client.codec, gate)
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
    if not nodes or not 1 <= least <= len(nodes) or any(node.gang for node in nodes):
        raise BadInput(
            f"a gang of {counted(len(nodes), 'run')}, at least {least}: each in one gang, and 1 to all of them"
        )
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

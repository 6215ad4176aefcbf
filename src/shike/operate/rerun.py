"""Run a graph again from one of its nodes: that node and all that depends on it, as a new graph.

What the others made stays as it is: its results are written into the arguments of the new runs. A run that would not
begin, because of a parent that is not run again and did not succeed, is left out, and so is what depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.client import Client
from shike.errors import BadArguments, Conflict, NotFound
from shike.graph import carrying
from shike.ids.runs import BUCKET_BITS
from shike.model import NEVER, Ended, Live, Misfire, Run, State
from shike.operate.graphs import NODES_TOLD
from shike.store.base import RunFilter, Store
from shike.store.children import parents, verdict
from shike.store.guards import Entry, Replayed
from shike.track.approval import first_gate, limits_of
from shike.track.graph import Edge, ties_of
from shike.track.settle import options_of


class Rerun(Struct, frozen=True, kw_only=True):
    """The new graph; or, of a preview, what it would be. `left_out`: runs that would not begin."""

    graph: str
    runs: int
    left_out: int


async def preview(client: Client, run_id: int) -> Rerun:
    """How many runs it would be. Raises as `rerun`."""
    picked, left_out = await _picked(await client.store(), run_id)
    return Rerun(graph="", runs=len(picked), left_out=left_out)


async def rerun(client: Client, run_id: int) -> Rerun:
    """Do it. Raises `NotFound`; `Conflict` for a run of no graph, one that is not over, or one on which something
    depends that is not over; and for a dead letter that was run again before."""
    store = await client.store()
    picked, left_out = await _picked(store, run_id)
    entries = await _entries(client, store, picked)
    start = picked[0]
    root = carrying(entries)
    if start.state is State.DEAD:
        root = replace(root, effects=(*root.effects, Replayed(start.run.id)))
    (answer,) = await client.deliver([root])
    if not answer.fresh:
        raise Conflict(f"run {run_id} was run again before, as run {answer.run_id}")
    return Rerun(graph=str(answer.run_id), runs=len(picked), left_out=left_out)


async def _picked(store: Store, run_id: int) -> tuple[list[Ended], int]:
    """The runs that are to run again, parents first; and how many are left out."""
    known = await store.find(run_id)
    if known is None:
        raise NotFound(f"there is no run {run_id}: never submitted here, or its history was dropped")
    rows = await _rows(store, known.run)
    picked: dict[int, Ended] = {run_id: _over(rows[run_id])}
    left_out = 0
    for one_id, one in rows.items():  # parents come before their children
        links = list(parents(one.run))
        if one_id <= run_id or not any(parent in picked for parent, _ in links):
            continue
        over = _over(one)
        outside = [(parent, link) for parent, link in links if parent not in picked]
        if any(_keeps_out(rows.get(parent), link) for parent, link in outside):
            left_out += 1
        else:
            picked[one_id] = over
    return list(picked.values()), left_out


async def _rows(store: Store, run: Run) -> dict[int, Live | Ended]:
    ties = run.ties
    if ties is None or not ties.graph:
        raise Conflict(f"run {run.id} of {run.task} belongs to no graph: run it again alone")
    if ties.size > NODES_TOLD:
        raise Conflict(f"a graph of {ties.size:,} runs is not run again from the middle; {NODES_TOLD:,} may be")
    end = ties.graph + (ties.size << BUCKET_BITS)
    found = await store.runs(RunFilter(before=end, limit=ties.size))
    return {one.run.id: one for one in reversed(found) if ties.graph <= one.run.id < end}


def _over(known: Live | Ended) -> Ended:
    if isinstance(known, Live):
        raise Conflict(f"run {known.run.id} of {known.run.task} is not over: wait for it, or cancel it first")
    return known


def _keeps_out(parent: Live | Ended | None, link: Any) -> bool:
    """Whether a parent that is not run again keeps its child from beginning."""
    if not isinstance(parent, Ended):
        return True
    chosen: tuple[str, ...] = ()
    if parent.state is State.SUCCESS and link.when:
        chosen = _branches(parent.result)
    return verdict(link, parent.run, parent.state, chosen) is not None


def _branches(result: bytes) -> tuple[str, ...]:
    try:
        value = msgspec.json.decode(result)
    except ValueError:
        return ()
    words = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(word for word in words if isinstance(word, str))


async def _entries(client: Client, store: Store, picked: Sequence[Ended]) -> list[Entry]:
    places = {one.run.id: place for place, one in enumerate(picked)}
    edges = [
        [Edge(places[p], link.on_parent, link.when) for p, link in parents(one.run) if p in places] for one in picked
    ]
    approvals = [one.run.ties.approval_seconds if one.run.ties else 0.0 for one in picked]
    first = await client.take_id(client.runtime.entropy.token_hex(8), len(picked))
    made = []
    for place, (one, ties) in enumerate(zip(picked, ties_of(first, edges, approvals), strict=True)):
        run = one.run
        args = await _arguments(client, store, run, places, place)
        key = run.key.replace(f"{run.ties.graph}/", f"{first}/", 1) if run.ties else run.key
        made.append(
            Entry(
                replace(
                    run,
                    id=first + (place << BUCKET_BITS),
                    args=args,
                    key=key,
                    due_at=NEVER,
                    created_at=NEVER,
                    expires_at=NEVER,
                    misfire=Misfire.ALL,
                    misfire_seconds=0.0,
                    replay_of=0,
                    ties=ties,
                    gate=first_gate(ties, limits_of(run)),
                ),
                delay_seconds=0.0,
            )
        )
    return made


async def _arguments(client: Client, store: Store, run: Run, places: Mapping[int, int], place: int) -> bytes:
    """Its arguments, with the results of those that are not run again, and with new distances to those that are."""
    name = options_of(run.options).takes
    if not name:
        return run.args
    origin = run.replay_of or run.id
    results: dict[int, Any] = {}

    async def result(distance: int) -> None:
        parent = await store.ended(origin + (distance << BUCKET_BITS))
        if parent is None:
            raise NotFound(f"the result of a parent of run {run.id} is not kept any more")
        is_good = parent.state is State.SUCCESS and parent.result
        results[distance] = msgspec.json.decode(client.codec.decode(parent.result)) if is_good else None

    payload = client.codec.decode(run.args)
    try:
        value = msgspec.json.decode(payload)
    except ValueError as error:
        raise BadArguments(f"the arguments of run {run.id} cannot be read: {error}") from error
    for distance in _distances(value, name):
        if origin + (distance << BUCKET_BITS) not in places:
            await result(distance)

    def hole(distance: int) -> Any:
        if distance in results:
            return results[distance]
        return {name: places[origin + (distance << BUCKET_BITS)] - place}

    return client.codec.encode(msgspec.json.encode(_put(value, name, hole)))


def _hole(value: Any, name: str) -> range | None:
    """The distances that stand here; None: it is no such place."""
    if not isinstance(value, dict) or value.keys() != {name}:
        return None
    at = value[name]
    return range(at[0], at[1] + 1) if isinstance(at, list) else range(at, at + 1)


def _distances(value: Any, name: str) -> set[int]:
    if (at := _hole(value, name)) is not None:
        return set(at)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {distance for item in items for distance in _distances(item, name)}


def _put(value: Any, name: str, hole: Callable[[int], Any]) -> Any:
    if (at := _hole(value, name)) is not None:
        return hole(at[0])
    if isinstance(value, dict):
        return {key: _put(item, name, hole) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    items: list[Any] = []
    for item in value:
        at = _hole(item, name)
        items += [_put(item, name, hole)] if at is None else [hole(distance) for distance in at]
    return items

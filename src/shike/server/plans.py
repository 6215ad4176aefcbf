"""Runs of one request that name each other as dependencies: what hangs together is a graph, stored in one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from shike.call import Call
from shike.counted import counted
from shike.errors import BadField, GraphCycle
from shike.graph import Graph
from shike.model import Ended, State
from shike.server.ask import Ask
from shike.server.bounds import PLAN_RUNS_MAX
from shike.server.shapes import NewRun
from shike.store.base import RunFilter
from shike.store.guards import Absent, Entry


class Plan:
    """The runs of one request: those that stand alone, and graphs of the others. `wheres`: the paths to them."""

    def __init__(self, ask: Ask[Any, Any], runs: Sequence[NewRun], wheres: Sequence[str]) -> None:
        self._ask = ask
        self._runs = runs
        self._wheres = wheres
        self._parents: list[list[int]] = [[] for _ in runs]
        self._graphs: list[tuple[Graph, list[int]]] = []
        self._alone: list[int] = []

    async def submit(self, calls: Sequence[Call[Any]]) -> list[tuple[int, bool]]:
        """Store them; the id of each, and whether it is new. Raises `BadField` for dependencies that make no sense, and
        then nothing was stored; `Conflict` where one of the ids stands for other work already."""
        client = self._ask.desk.client
        await self._look()
        entries: list[Entry] = []
        for group in self._groups():
            if len(group) == 1 and not self._parents[group[0]]:
                self._alone.append(group[0])
            else:
                entries += await self._graph(group, calls)
        entries += await client.entries([calls[number] for number in self._alone])
        answers = await client.deliver(entries)
        found: dict[int, tuple[int, bool]] = {}
        for (graph, group), answer in zip(self._graphs, answers, strict=False):
            await graph.stored(answer.run_id, fresh=answer.fresh)
            for number, node in zip(group, graph.nodes, strict=True):
                found[number] = int(node.handle.id), graph.fresh
        for number, answer in zip(self._alone, answers[len(self._graphs) :], strict=True):
            found[number] = answer.run_id, answer.fresh
        return [found[number] for number in range(len(calls))]

    async def _look(self) -> None:
        """Whom each waits for: of this request, or of before, where it is done."""
        known: dict[str, int] = {}
        for number, run in enumerate(self._runs):
            name = run.task_id or run.key
            if name and known.setdefault(name, number) != number:
                field = "task_id" if run.task_id else "key"
                raise BadField(f"{name!r:.80} stands twice in this request", field=f"{self._wheres[number]}{field}")
        for number, run in enumerate(self._runs):
            for place, name in enumerate(run.dependencies):
                if name in known:
                    self._parents[number].append(known[name])
                else:
                    await self._done_before(name, f"{self._wheres[number]}dependencies[{place}]")

    async def _done_before(self, name: str, field: str) -> None:
        """Raises `BadField` unless that work was sent before, and has succeeded."""
        found = await self._ask.desk.store.runs(RunFilter(key=name, limit=1))
        if not found or not self._ask.who.covers(found[0].run.queue):
            raise BadField(f"there is no work {name!r:.80}, neither in this request nor before it", field=field)
        (parent,) = found
        if not isinstance(parent, Ended):
            raise BadField(
                f"{name!r:.80} is run {parent.run.id}, and not over yet: send what waits for it in one request with it",
                field=field,
            )
        if parent.state is not State.SUCCESS:
            raise BadField(f"{name!r:.80} ended as {parent.state.name}: what waits for it would not begin", field=field)

    def _groups(self) -> list[list[int]]:
        """What hangs together, each group in its order (disjoint sets: Galler and Fischer 1964)."""
        heads = list(range(len(self._runs)))

        def head(number: int) -> int:
            while heads[number] != number:
                heads[number] = number = heads[heads[number]]
            return number

        for child, parents in enumerate(self._parents):
            for parent in parents:
                heads[head(child)] = head(parent)
        groups: dict[int, list[int]] = {}
        for number in range(len(heads)):
            groups.setdefault(head(number), []).append(number)
        return list(groups.values())

    async def _graph(self, group: list[int], calls: Sequence[Call[Any]]) -> list[Entry]:
        where = self._wheres[group[0]]
        if len(group) > PLAN_RUNS_MAX:
            raise BadField(
                f"{counted(len(group), 'run')} depend on each other, at most {PLAN_RUNS_MAX} may: send them as a "
                "graph, POST /api/v1/graphs",
                field=f"{where}dependencies",
            )
        graph = Graph(self._ask.desk.client)
        nodes, keys = {}, []
        for number in group:
            how = calls[number].how
            node = nodes[number] = graph.add(replace(calls[number], how=replace(how, key="", key_seconds=0.0)))
            node.key = how.key
            if how.key:
                keys.append(Absent(how.key, how.key_seconds))
        for number in group:
            nodes[number].after(*[nodes[parent] for parent in self._parents[number]])
        try:
            entries = await graph.entries(sorted(keys, key=lambda one: one.key))
        except GraphCycle as error:
            first = next(number for number in group if nodes[number].key == error.cycle[0])
            raise BadField(str(error), field=f"{self._wheres[first]}dependencies") from None
        self._graphs.append((graph, group))
        return entries

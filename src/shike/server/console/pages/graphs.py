"""Graphs of work: drawn with their states, what each waiting run waits for, approvals, and a run again from a node."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from shike.errors import NotFound
from shike.model import State
from shike.operate import approvals, graphs, rerun
from shike.operate.graphs import GraphFacts, NodeFacts, Tie
from shike.secret import redacted
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console.graph_picture import HEIGHT, WIDTH, picture
from shike.server.console.page import Page, done, shown
from shike.server.console.render import show, told, words_of
from shike.server.paging import number_of
from shike.server.runs import found
from shike.server.shapes import Digest
from shike.store.base import RunFilter, Store

PAGE = Page(name="graphs", path="/graphs", place=40, letter="h")
ONE: Final = "/graphs/{run}"
LOOKED_AT: Final = 500  # of the newest runs, and of the newest that wait: whose graphs are listed
LISTED: Final = 30
SHARED_SECONDS: Final = 2.0
OVER: Final = frozenset({State.SUCCESS.name, State.DEAD.name, State.CANCELLED.name, State.SKIPPED.name})


class Reason(Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: str = ""


class Condition(Struct, frozen=True, kw_only=True):
    """One thing that a run waits for, and the evidence."""

    parent: NodeFacts | None
    run: str
    tie: Tie
    is_met: bool


class Waiting(Struct, frozen=True, kw_only=True):
    """A run that waits, with all its conditions."""

    node: NodeFacts
    conditions: tuple[Condition, ...]
    met: int


# ---------------------------------------------------------------- all of them


async def page(ask: Ask[None, Nothing]) -> Reply:
    """The newest ones."""
    rows = await ask.desk.live.shared(("graphs", ask.who.queues), SHARED_SECONDS, lambda: _listing(ask))
    template = "graphs_table.html" if ask.visit.is_part else "graphs.html"
    waiting = [one for one in await approvals.requests(ask.desk.client) if await _is_mine(ask, one.run)]
    return show(ask, template, page="graphs", rows=rows, requests=waiting)


async def _is_mine(ask: Ask[Any, Any], run: str) -> bool:
    if not ask.who.queues:
        return True
    known = await ask.desk.store.find(int(run))
    return known is not None and ask.who.covers(known.run.queue)


async def _listing(ask: Ask[Any, Any]) -> list[tuple[GraphFacts, str]]:
    """Graphs, newest first, each with the task that it begins with."""
    rows = []
    for graph in (await _newest(ask.desk.store))[:LISTED]:
        try:
            facts = await graphs.picture(ask.desk.client, graph)
        except NotFound:
            continue
        if facts.nodes and all(ask.who.covers(node.queue) for node in facts.nodes):
            rows.append((facts, facts.nodes[0].task))
    return rows


async def _newest(store: Store) -> list[int]:
    """The ids of graphs that the newest runs belong to: all of them, and those that wait."""
    found: dict[int, None] = {}
    for states in ((), (State.WAITING,)):
        for one in await store.runs(RunFilter(states=states, limit=LOOKED_AT)):
            if one.run.ties is not None and one.run.ties.graph and not one.run.replay_of:
                found[one.run.ties.graph] = None
    return sorted(found, reverse=True)


# ---------------------------------------------------------------- one


async def one(ask: Ask[None, Nothing]) -> Reply:
    """One graph; any of its runs names it."""
    run_id = number_of(ask.path["run"])
    await found(ask, run_id)
    facts = await graphs.picture(ask.desk.client, run_id)
    for node in facts.nodes:
        ask.who.may_see(node.queue, f"graph {run_id}")
    by_run = {node.run: node for node in facts.nodes}
    waiting = [_waiting(node, by_run) for node in facts.nodes if node.state == State.WAITING.name]
    template = "graphs_body.html" if ask.visit.is_part else "graphs_one.html"
    return show(
        ask, template, page="graphs", facts=facts, drawn=picture(facts.nodes), waiting=waiting, by_run=by_run,
        box=(WIDTH, HEIGHT), over=OVER,
    )  # fmt: skip


def _waiting(node: NodeFacts, by_run: dict[str, NodeFacts]) -> Waiting:
    conditions = []
    for tie in node.after:
        parent = by_run.get(tie.run)
        is_met = parent is None or parent.state in OVER  # a parent that is over and did not free it would have ended it
        conditions.append(Condition(parent=parent, run=tie.run, tie=tie, is_met=is_met))
    conditions.sort(key=lambda one: one.is_met)
    return Waiting(node=node, conditions=tuple(conditions), met=sum(one.is_met for one in conditions))


async def ask_cancel(ask: Ask[None, Nothing]) -> Reply:
    """The dialog: how many it would be."""
    facts = await _mine(ask)
    alive = sum(count for state, count in facts.states.items() if state not in OVER)
    return show(ask, "graphs_cancel.html", page="graphs", graph=facts.graph, count=alive)


async def cancel(ask: Ask[Reason, Nothing]) -> Reply:
    """Take back what is not over."""
    facts = await _mine(ask)
    ask.after = ask.body
    reason = ask.body.reason.strip() or words_of(ask, "graphs.cancelled_by", name=ask.who.name)
    count = await graphs.cancel(ask.desk.client, int(facts.graph), reason)
    return told(ask, words_of(ask, "graphs.cancelled", count=count), to=f"/graphs/{facts.graph}")


async def _mine(ask: Ask[Any, Any]) -> GraphFacts:
    """A graph all of which the caller may deal with."""
    run_id = number_of(ask.path["run"])
    await found(ask, run_id)
    facts = await graphs.picture(ask.desk.client, run_id)
    for node in facts.nodes:
        ask.who.may_see(node.queue, f"graph {run_id}")
    return facts


async def ask_rerun(ask: Ask[None, Nothing]) -> Reply:
    """The dialog: how many runs it would be."""
    await _mine(ask)
    run_id = number_of(ask.path["run"])
    would = await rerun.preview(ask.desk.client, run_id)
    return show(ask, "graphs_rerun.html", page="graphs", run=str(run_id), would=would)


async def do_rerun(ask: Ask[Nothing, Nothing]) -> Reply:
    """That node and all that depends on it, as a new graph."""
    await _mine(ask)
    did = await rerun.rerun(ask.desk.client, number_of(ask.path["run"]))
    ask.after = did
    return told(ask, words_of(ask, "graphs.rerun_done", count=did.runs), to=f"/graphs/{did.graph}")


# ---------------------------------------------------------------- what waits for a person


async def ask_approval(ask: Ask[None, Nothing]) -> Reply:
    """The dialog: exactly what would be approved."""
    run_id = number_of(ask.path["run"])
    await found(ask, run_id)
    asked = await approvals.request(ask.desk.client, run_id)
    return show(ask, "graphs_approve.html", page="graphs", asked=asked, arguments=redacted(asked.arguments))


async def approve(ask: Ask[Digest, Nothing]) -> Reply:
    """Let it begin."""
    return await _decide(ask, granted=True)


async def refuse(ask: Ask[Digest, Nothing]) -> Reply:
    """Let it never begin."""
    return await _decide(ask, granted=False)


async def _decide(ask: Ask[Digest, Nothing], *, granted: bool) -> Reply:
    run_id = number_of(ask.path["run"])
    known = await found(ask, run_id)
    ask.after = msgspec.to_builtins(ask.body)
    decide = approvals.approve if granted else approvals.refuse
    await decide(ask.desk.client, run_id, ask.body.digest, by=f"{ask.who.name} ({ask.who.id})")
    graph = known.run.ties.graph if known.run.ties else run_id
    words = words_of(ask, "graphs.approved" if granted else "graphs.refused", run=run_id)
    return told(ask, words, to=f"/graphs/{graph}")


ROUTES = (
    shown("/graphs", page, words="Graphs of work, newest first, and what waits for a person."),
    shown(ONE, one, words="One graph: drawn with its states, and what each waiting run waits for."),
    shown(f"{ONE}/cancel", ask_cancel, words="How many runs would be taken back."),
    done(f"{ONE}/cancel", cancel, body=Reason, words="Take back every run of a graph that is not over."),
    shown(f"{ONE}/rerun", ask_rerun, words="How many runs would run again."),
    done(f"{ONE}/rerun", do_rerun, words="Run a node and all that depends on it again, as a new graph."),
    shown(f"{ONE}/approval", ask_approval, words="What exactly waits to be approved."),
    done(f"{ONE}/approve", approve, body=Digest, words="Let a run begin that waits for a person."),
    done(f"{ONE}/refuse", refuse, body=Digest, words="Say no: the run is cancelled."),
)

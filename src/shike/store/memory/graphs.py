"""Runs that depend on others: how they wait, and what the end of a parent does to them in the same step."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from shike.model import Ended, Live, Run, State
from shike.store.children import Doom, children, first_look, parent_count, parents, verdict, waits_on

if TYPE_CHECKING:
    from shike.store.memory.tables import Tables


def accept(tables: Tables, live: Live, now: int) -> None:
    """A new run of a graph: nobody looks at it before its parents are over."""
    live.run_at = first_look(live.run, live.run_at, now)
    if count := parent_count(live.run):
        tables.parents[live.run.id] = count


def load(tables: Tables, live: Live) -> None:
    """One that comes from another store: the parents that it waits for are those that are alive."""
    if live.state is State.WAITING and (count := sum(parent in tables.runs for parent, _ in parents(live.run))):
        tables.parents[live.run.id] = count


def is_held(tables: Tables, live: Live) -> bool:
    """Whether a run waits for others that are not over."""
    return live.run.id in tables.parents


def parent_ended(tables: Tables, run: Run, state: State, now: int, chosen: tuple[str, ...]) -> None:
    """Free its children, or end those that must not run, and theirs: level by level."""
    tables.parents.pop(run.id, None)
    over = deque([(run, state, chosen)])
    while over:
        parent, its_state, its_choice = over.popleft()
        for child_id, link in children(parent):
            if child_id not in tables.parents:
                continue  # over already, or cancelled before
            child = tables.runs[child_id]
            doom = verdict(link, parent, its_state, its_choice)
            if doom is not None:
                _end(tables, child, doom, now)
                over.append((child.run, doom.state, ()))
            else:
                _one_less(tables, child, now)


def _end(tables: Tables, child: Live, doom: Doom, now: int) -> None:
    run = child.run
    del tables.parents[run.id]
    tables.leave(child)
    shelf = tables.dead if doom.state is State.DEAD else tables.over
    shelf.rows[run.id] = Ended(run, doom.state, now, child.attempts, 0, "", doom.reason)
    tables.news.ended.append(run.id)
    tables.forget(child)


def _one_less(tables: Tables, child: Live, now: int) -> None:
    run_id = child.run.id
    left = tables.parents[run_id] = tables.parents[run_id] - 1
    if left:
        return
    del tables.parents[run_id]
    tables.leave(child)
    child.version += 1
    if look_at := waits_on(child.run, now):
        child.run_at = look_at
        tables.gates.wait(child)
        tables.news.gated(child.run.gate, look_at, now)
        return
    child.state = State.SCHEDULED
    child.run_at = max(child.run.due_at, now)
    tables.enter(child, now)

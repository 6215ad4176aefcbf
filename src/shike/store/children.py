"""What the end of a run means for those that depend on it: pure decisions, the same for every store.

A child waits at a gate of its graph, or at that of its limits, not to be looked at before `UNTIL_FREED`, with a count
of the parents that are not over. The step that ends a parent takes one from the count, or ends the child; at none it is
freed in that very step: into its lane, or, where it has limits, to be looked at where it stands. As a child that must
not run ends at once, a parent that is over and whose child waits was met: so the count is what is alive, and nothing
but the runs themselves has to be carried to another store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from shike.ids.runs import BUCKET_BITS
from shike.model import Link, OnParent, Run, State
from shike.store.guards import Choose, Effect

GRAPH_GATE: Final = "graph/"  # GRAPH_GATE + the graph's id: where its runs wait
UNTIL_FREED: Final = 1 << 52  # µs: the year 2112, and a whole number in any store
TIED: Final = 1 << 16  # added to what a row says of permits: such a run is tied to others. No run holds so many


class Doom(Struct, frozen=True, gc=False):
    """How a child ends that must not run."""

    state: State
    reason: str


def gate_of(graph: int) -> str:
    return f"{GRAPH_GATE}{graph}"


def is_graph_gate(gate: str) -> bool:
    return gate.startswith(GRAPH_GATE)


def related(run: Run, links: Iterable[Link]) -> Iterator[tuple[int, Link]]:
    """The runs that links of this one name, each with its link."""
    for link in links:
        for distance in range(link.first, link.last + 1):
            yield run.id + (distance << BUCKET_BITS), link


def children(run: Run) -> Iterator[tuple[int, Link]]:
    return related(run, run.ties.before if run.ties else ())


def parents(run: Run) -> Iterator[tuple[int, Link]]:
    return related(run, run.ties.after if run.ties else ())


def parent_count(run: Run) -> int:
    return sum(link.last - link.first + 1 for link in run.ties.after) if run.ties else 0


def first_look(run: Run, run_at: int, now: int) -> int:
    """When somebody looks at a new run: as it says, or once it is freed, or when its approval expires."""
    ties = run.ties
    if ties is None:
        return run_at
    if ties.after:
        return UNTIL_FREED
    return approval_ends(run, now) or run_at


def approval_ends(run: Run, now: int) -> int:
    """Until when a run whose parents are over waits for approval; 0: it needs none."""
    seconds = run.ties.approval_seconds if run.ties else 0.0
    return now + round(seconds * 1_000_000) if seconds else 0


def waits_on(run: Run, now: int) -> int:
    """Of a run whose parents are over: until when it waits for approval, or from when on it asks for its limits, at the
    gate where it stands; 0: it enters its lane."""
    return approval_ends(run, now) or (0 if is_graph_gate(run.gate) else max(run.due_at, now))


def chosen_of(effects: Iterable[Effect]) -> tuple[str, ...]:
    """The branches that a run has chosen with its success."""
    return next((effect.branches for effect in effects if isinstance(effect, Choose)), ())


def verdict(link: Link, parent: Run, state: State, chosen: tuple[str, ...]) -> Doom | None:
    """What a child ends as because its parent ended so; None: as far as this parent goes, it may run."""
    if state is State.SUCCESS:
        if not link.when or link.when in chosen:
            return None
        return Doom(State.SKIPPED, f"branch {link.when!r} was not chosen by run {parent.id} ({parent.task})")
    if link.on_parent is OnParent.CONTINUE:
        return None
    fails = link.on_parent is OnParent.FAIL and state is not State.SKIPPED
    return Doom(State.DEAD if fails else State.SKIPPED, f"parent {parent.id} ({parent.task}) is {state.name}")


def dooms(parent: Run, state: State, chosen: tuple[str, ...]) -> bool:
    """Whether this end of a parent ends any child."""
    links = parent.ties.before if parent.ties else ()
    return any(verdict(link, parent, state, chosen) for link in links)

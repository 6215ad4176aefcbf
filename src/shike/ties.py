"""The nouns of a graph of work: how a run is tied to others. `shike.model` has them, too."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class OnParent(StrEnum):
    """What becomes of a run when one that it depends on does not succeed."""

    FAIL = "fail"  # a dead or cancelled parent makes it a dead letter; a skipped one makes it skipped
    SKIP = "skip"  # it is skipped, with the parent as its reason
    CONTINUE = "continue"  # it runs all the same


class Link(Struct, frozen=True, array_like=True, gc=False):
    """Runs of one graph that another one depends on, or that depend on it: from `first` to `last`, counted from it."""

    first: int
    last: int
    on_parent: OnParent = OnParent.SKIP
    when: str = ""  # only if the parent chose this branch; empty: in any case


class Ties(Struct, frozen=True, array_like=True, gc=False):
    """How a run is tied to others. Ids of one graph follow each other, so that a distance names a run."""

    graph: int  # the id of the graph's first run; 0: no graph
    size: int  # how many runs the graph has
    after: tuple[Link, ...] = ()  # its parents, with negative distances
    before: tuple[Link, ...] = ()  # its children
    approval_seconds: float = 0.0  # once its parents have ended, so long it waits for a person's approval; 0: for none

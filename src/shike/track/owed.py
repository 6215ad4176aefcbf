"""When a run should have begun: what its lateness is measured from, where many are looked at together. Pure."""

from __future__ import annotations

from shike.model import Attempt, Run


def owed_at(run: Run, first: Attempt) -> int:
    """Its due time; of one that waited for its parents or for a person, when it was let go: nobody could have begun it
    before. `first` is its first attempt."""
    waited = run.ties is not None and (run.ties.after or run.ties.approval_seconds)
    return max(run.due_at, first.eligible_at) if waited else run.due_at

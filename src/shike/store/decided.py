"""Decisions of routers stand among a run's attempts, in rows of their own: they leave with them, and travel with them.

A decision's token is the negative of the version that its step gave the run: unlike any lease's, and unlike that of any
other decision.
"""

from __future__ import annotations

from collections.abc import Iterable

from shike.model import Attempt, State


def attempts_of(rows: Iterable[Attempt]) -> list[Attempt]:
    """Without the decisions."""
    return [row for row in rows if row.state is not State.ASSIGNED]


def decisions_of(rows: Iterable[Attempt]) -> list[Attempt]:
    """Only those, the oldest first."""
    return sorted((row for row in rows if row.state is State.ASSIGNED), key=lambda row: -row.token)

"""Listening in tests: hints of commits, without those by which an ear says that it begins to hear."""

from __future__ import annotations

from collections.abc import Callable

from shike.store.hints import Hint, HintKind


def commits(take: Callable[[Hint], object]) -> Callable[[Hint], None]:
    """A listener that hands on what was committed."""

    def heard(hint: Hint) -> None:
        if hint.kind is not HintKind.MISSED:
            take(hint)

    return heard

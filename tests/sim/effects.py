"""What handlers did in the world outside: written where no store and no fault can reach."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple


class Effect(NamedTuple):
    """One handler began, or finished, its work on a run."""

    at: float  # true virtual time
    process: str
    run_id: int
    token: int
    attempt: int
    done: bool


class Effects:
    """An append-only log, by run."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self.by_run: dict[int, list[Effect]] = defaultdict(list)
        self.count = 0

    def add(self, effect: Effect) -> None:
        self.by_run[effect.run_id].append(effect)
        self.count += not effect.done
        self._note(f"{effect.process} {'did' if effect.done else 'began'} {effect.run_id} token={effect.token}")

"""What listeners are told after a step: gathered while it runs, a few hints however large the batch was."""

from __future__ import annotations

from shike.store.hints import Hint, HintKind


class News:
    """The hints of one step. Runs that are eligible already share one."""

    def __init__(self) -> None:
        self._due: dict[tuple[str, int], None] = {}
        self._gated: dict[tuple[str, int], None] = {}
        self._freed: dict[str, None] = {}
        self._other: list[Hint] = []
        self.ended: list[int] = []
        self.cancelled: list[int] = []

    def due(self, queue: str, run_at: int, now: int) -> None:
        self._due[queue, max(run_at, now)] = None

    def gated(self, gate: str, run_at: int, now: int) -> None:
        self._gated[gate, max(run_at, now)] = None

    def freed(self, gate: str) -> None:
        self._freed[gate] = None

    def schedule(self, name: str) -> None:
        self._other.append(Hint(HintKind.SCHEDULE, name=name))

    def queue(self, queue: str) -> None:
        self._other.append(Hint(HintKind.QUEUE, queue))

    def take(self) -> list[Hint]:
        """All of it, once."""
        hints = [Hint(HintKind.DUE, queue, run_at) for queue, run_at in self._due]
        hints += [Hint(HintKind.GATED, at=at, name=gate) for gate, at in self._gated]
        hints += [Hint(HintKind.FREED, name=gate) for gate in self._freed]
        hints += self._other
        if self.ended:
            hints.append(Hint(HintKind.ENDED, run_ids=tuple(self.ended)))
        if self.cancelled:
            hints.append(Hint(HintKind.CANCEL, run_ids=tuple(self.cancelled)))
        if hints:
            self.clear()
        return hints

    def clear(self) -> None:
        for part in (self._due, self._gated, self._freed, self._other, self.ended, self.cancelled):
            part.clear()

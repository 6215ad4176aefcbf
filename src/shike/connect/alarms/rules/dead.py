"""Dead letters that nobody has dealt with, by task; and those of them that are poison."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from shike.connect.alarms.base import Finding, Rule, found, is_meant
from shike.connect.alarms.bounds import DEAD_READ
from shike.connect.alarms.sight import Sight
from shike.errors import BadInput
from shike.model import Ended

POISON = "poison"  # how the reason of such a letter begins: `shike.store.lost`


class Dead(Rule, frozen=True):
    """A run of these tasks is a dead letter; over when all were replayed or dropped. `task`: a name or a pattern.

    Spelled out are the newest DEAD_READ letters by run id.
    """

    kind: ClassVar[str] = "dead"
    task: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.task}" if self.task else self.kind

    @classmethod
    def read(cls, subject: str, threshold: str) -> Dead:
        if threshold:
            raise BadInput(f"{cls.kind}: it takes no number; one is enough")
        return cls(subject)

    def eyes(self) -> Letters:
        return Letters(self.task, lambda ended: True, "dead")


class Poison(Dead, frozen=True):
    """A run of these tasks has killed every process that worked on it, and was taken out for it."""

    kind: ClassVar[str] = "poison"

    def eyes(self) -> Letters:
        return Letters(self.task, lambda ended: ended.reason.startswith(POISON), "poison")


class Letters:
    """Looks through the dead letters."""

    def __init__(self, task: str, fits: Callable[[Ended], bool], saying: str) -> None:
        self._task = task
        self._fits = fits
        self._saying = saying

    async def look(self, sight: Sight) -> list[Finding]:
        by_task: dict[str, list[Ended]] = {}
        for ended in await sight.letters():
            if is_meant(ended.run.task, self._task) and self._fits(ended):
                by_task.setdefault(ended.run.task, []).append(ended)
        return [self._found(task, letters) for task, letters in by_task.items()]

    def _found(self, task: str, letters: list[Ended]) -> Finding:
        newest = max(letters, key=lambda one: one.ended_at)
        saying = f"{self._saying}_or_more" if len(letters) >= DEAD_READ else self._saying
        return found(
            saying, task, amount=len(letters), owner=newest.run.owner,
            count=len(letters), task=task, run=str(newest.run.id), reason=newest.reason,
        )  # fmt: skip

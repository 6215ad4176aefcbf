"""A number for each worker and task, for strategies that look back."""

from __future__ import annotations

import msgspec

from shike.route.bounds import GONE_KEPT, TASKS_REMEMBERED
from shike.route.fitness import Field

Numbers = dict[str, dict[int, int]]


class LookingBack:
    """By task, then by the worker's number. When there are too many, workers that are not among the present
    candidates are forgotten, and of tasks the one that was known first."""

    def __init__(self, *, joins_at_least: bool = False) -> None:
        self._known: Numbers = {}
        self._joins_at_least = joins_at_least
        self._changes = 0

    def of(self, task: str, field: Field) -> list[int]:
        """Of each candidate. To be read; `note` changes it."""
        cached = field.cache.get((self, task))
        if cached is not None and cached[0] == self._changes:
            return cached[1]  # type: ignore[no-any-return]
        numbers = self._numbers(task, field)
        field.cache[self, task] = self._changes, numbers
        return numbers

    def _numbers(self, task: str, field: Field) -> list[int]:
        known = self._known.get(task)
        if known is None:
            known = self._known[task] = {}
            if len(self._known) > TASKS_REMEMBERED:
                del self._known[next(iter(self._known))]
        start = 0
        if self._joins_at_least:
            start = min((known[number] for number in field.numbers if number in known), default=0)
        return [known.get(number, start) for number in field.numbers]

    def note(self, task: str, field: Field, place: int, value: int) -> None:
        """The number of one candidate is another now. `of` this field was asked for just before."""
        known, number = self._known.setdefault(task, {}), field.numbers[place]
        known[number] = value
        if len(known) > len(field) + GONE_KEPT:
            present = field.place_of
            self._known[task] = {number: value for number, value in known.items() if number in present}
        _, numbers = field.cache[self, task]
        numbers[place] = value
        self._changes += 1  # other fields have to look again
        field.cache[self, task] = self._changes, numbers

    def memory(self) -> dict[str, dict[str, int]]:
        return {task: {str(number): value for number, value in known.items()} for task, known in self._known.items()}

    def recall(self, known: Numbers) -> None:
        self._known = dict(list(known.items())[-TASKS_REMEMBERED:])


def counted_by_number(memory: object) -> Numbers:
    """What `memory` gave; nothing where it cannot be read."""
    try:
        return msgspec.convert(memory, Numbers, strict=False)
    except msgspec.ValidationError:
        return {}

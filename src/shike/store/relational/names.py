"""Names of queues, tasks and schedules as small numbers: hot rows hold an integer where a text would be repeated."""

from __future__ import annotations

from collections.abc import Iterable

from shike.store.relational.link import Row


class Names:
    """What one process knows of them. A name keeps its number for ever, and is given one in a transaction of its own,
    so what was once read stays right, whatever is taken back."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {"": 0}
        self._texts: dict[int, str] = {0: ""}

    def number(self, text: str) -> int:
        """The number of a name that was looked up before; 0 for the empty one."""
        return self._numbers[text]

    def text(self, number: int) -> str:
        """The name that has this number, looked up before; empty for 0."""
        return self._texts[number]

    def unknown(self, texts: Iterable[str]) -> list[str]:
        """Those that have to be looked up, each once and in order."""
        return sorted({text for text in texts if text not in self._numbers})

    def nameless(self, numbers: Iterable[int]) -> list[int]:
        """The numbers whose names have to be looked up, each once and in order."""
        return sorted({number for number in numbers if number not in self._texts})

    def keep(self, rows: Iterable[Row]) -> None:
        """Remember rows of (number, name)."""
        for number, text in rows:
            self._numbers[text] = number
            self._texts[number] = text

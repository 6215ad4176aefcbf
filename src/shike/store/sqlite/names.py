"""Names of queues, tasks and schedules as small numbers: hot rows hold an integer where a text would be repeated."""

from __future__ import annotations

import sqlite3

from shike.store.sqlite.statements import Statements


class Names:
    """The numbers known to one connection. A name keeps its number for ever, so what was once read stays right."""

    def __init__(self, connection: sqlite3.Connection, sql: Statements) -> None:
        self._connection = connection
        self._sql = sql
        self._numbers: dict[str, int] = {}
        self._texts: dict[int, str] = {}

    def number(self, text: str) -> int:
        """The number of a name; a new one is given one in this transaction."""
        return self._numbers.get(text) or self.seen(text) or self._give(text)

    def seen(self, text: str) -> int:
        """The number of a name, 0 if the store has never heard it (or it is empty)."""
        number = self._numbers.get(text)
        if number is None and text:
            row = self._connection.execute(self._sql.plain("name_number"), (text,)).fetchone()
            if row is not None:
                number = self._keep(row[0], text)
        return number or 0

    def text(self, number: int) -> str:
        """The name that has this number; empty for 0."""
        if number and number not in self._texts:
            row = self._connection.execute(self._sql.plain("name_text"), (number,)).fetchone()
            self._keep(number, row[0])
        return self._texts[number] if number else ""

    def forget(self) -> None:
        """A transaction was taken back, and with it perhaps a number that was given in it."""
        self._numbers.clear()
        self._texts.clear()

    def _give(self, text: str) -> int:
        if not text:
            return 0
        number = self._connection.execute(self._sql.plain("name_give"), (text,)).lastrowid
        return self._keep(number or 0, text)

    def _keep(self, number: int, text: str) -> int:
        self._numbers[text] = number
        self._texts[number] = text
        return number

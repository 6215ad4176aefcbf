"""Statements with their values written into them.

One text may hold several statements, which travel together: that is what saves round trips here, where a statement can
do less than on PostgreSQL. In a text

    $2        is the second value; a list becomes `(1, 2)`, as `in` wants it
    $2[]      is a list as rows: `(1), (2)`
    $*        are the rows of values of a statement over many rows
    $*[1, 3]  are their first and third columns, each row once;  $*(1) is the first column as a list
    … as v (a, b)  after rows makes a table of them

A line `-- later` says that nobody waits for the answer: such a statement goes with the next one.

Numbers are written as they are, bytes as `x'00ff'`, and so is any text with a sign that might mean something to the
server: what is written does not depend on its settings (R0.20).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from shike.errors import BadInput
from shike.store.relational.statements import filled, texts

CLOCK = "timestampdiff(microsecond, '1970-01-01', utc_timestamp(6))"

HEX_BYTES_MAX = 1 << 15
ROWS_PER_STATEMENT = 2_000  # of a transaction: more of them are sent in parts

_PLAIN = re.compile(r"[A-Za-z0-9_ .:,/@#=+()\[\]{}<>|!-]*")
_VALUE = re.compile(
    r"\$(?:(?P<number>\d+)(?P<items>\[\])?|\*(?:\[(?P<columns>[\d, ]+)\]|\((?P<column>\d+)\))?)"
    r"(?P<table> as (?P<name>\w+) \((?P<fields>[^)]*)\))?"
)
_WRITES = re.compile(r"^(?:insert|update|delete)\b", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n?", re.MULTILINE)

Values = Sequence[object]
Rows = Sequence[Sequence[object]]
Part = Callable[[Values, Rows], str]


@dataclass(frozen=True, slots=True)
class Flavour:
    """In what the two servers differ, as far as texts go."""

    name: str
    collation: str  # compares bytes, and a trailing blank as one
    row: str  # how a row of values begins

    @property
    def words(self) -> dict[str, str]:
        closing = f"engine = innodb row_format = dynamic default charset = utf8mb4 collate = {self.collation}"
        return {"exact": self.collation, "options": closing}


MARIADB = Flavour("MariaDB", "utf8mb4_nopad_bin", "(")
MYSQL = Flavour("MySQL", "utf8mb4_0900_bin", "row(")


class Text:
    """One text, ready to be filled in."""

    def __init__(self, text: str, flavour: Flavour) -> None:
        self.is_later = "-- later\n" in text
        bare = _COMMENT.sub("", text)
        self.is_step = len(_WRITES.findall(bare)) > 0 and ";\n" in bare  # several statements that belong together
        self._parts: list[str | Part] = []
        start = 0
        for found in _VALUE.finditer(bare):
            self._parts += [bare[start : found.start()], _part(found, flavour)]
            start = found.end()
        self._parts.append(bare[start:])

    def fill(self, values: Values, rows: Rows = ()) -> str:
        return "".join([part if isinstance(part, str) else part(values, rows) for part in self._parts])

    def parts(self, lead: Values, rows: Rows, bytes_max: int) -> Iterator[str]:
        """The rows in texts that are neither many nor too long for the server; a single row may be."""
        for start in range(0, len(rows), ROWS_PER_STATEMENT):
            yield from self._fitting(lead, rows[start : start + ROWS_PER_STATEMENT], bytes_max)

    def _fitting(self, lead: Values, rows: Rows, bytes_max: int) -> list[str]:
        script = self.fill(lead, rows)
        if len(script) < bytes_max or len(rows) == 1:
            return [script]
        half = len(rows) // 2
        return [*self._fitting(lead, rows[:half], bytes_max), *self._fitting(lead, rows[half:], bytes_max)]


def statements(namespace: str, flavour: Flavour) -> dict[str, Text]:
    """All texts for one namespace."""
    words = {"ns": namespace, "clock": CLOCK} | flavour.words
    return {name: Text(filled(text, words), flavour) for name, text in texts("shike.store.mysql").items()}


def _part(found: re.Match[str], flavour: Flavour) -> Part:
    """What stands for one place in a text."""
    if found["column"]:
        get = itemgetter(int(found["column"]) - 1)
        return lambda values, rows: literal(list(dict.fromkeys(map(get, rows))))
    if found["number"] and not found["items"]:
        place = int(found["number"]) - 1
        return lambda values, rows: literal(values[place])
    rows_of = _rows_of(found)
    if found["table"]:
        return _as_table(found["name"], found["fields"], rows_of, flavour.row)
    return lambda values, rows: written(rows_of(values, rows), flavour.row)


def _rows_of(found: re.Match[str]) -> Callable[[Values, Rows], Rows]:
    if found["number"]:
        place = int(found["number"]) - 1
        return lambda values, rows: [(item,) for item in values[place]]  # type: ignore[attr-defined]
    if found["columns"]:
        places = [int(column) - 1 for column in found["columns"].split(",")]
        return lambda values, rows: list(dict.fromkeys(_cut(rows, places)))
    return lambda values, rows: rows


def _as_table(name: str, fields: str, rows_of: Callable[[Values, Rows], Rows], opening: str) -> Part:
    """Rows as a table; a column that holds one value only is written once, for the server takes longer to read a value
    than to repeat it."""
    none = f"select {', '.join('null' for _ in fields.split(','))} from dual where false"  # noqa: S608  # no value
    empty = f"(with {name} ({fields}) as ({none}) select * from {name}) {name}"  # noqa: S608  # nor here
    columns = [field.strip() for field in fields.split(",")]

    def table(values: Values, rows: Rows) -> str:
        picked = rows_of(values, rows)
        if not picked:
            return empty
        by_column = list(zip(*picked, strict=True))
        places = [place for place, column in enumerate(by_column) if not (place and _are_alike(column))]
        own = ", ".join([columns[place] for place in places])
        if len(places) < len(columns):
            picked = list(zip(*[by_column[place] for place in places], strict=True))
        shown = [
            field if place in places else f"{literal(by_column[place][0])} as {field}"
            for place, field in enumerate(columns)
        ]
        body = written(picked, opening)
        return f"(with {name} ({own}) as (values {body}) select {', '.join(shown)} from {name}) {name}"  # noqa: S608

    return table


def _are_alike(column: Sequence[object]) -> bool:
    first = column[0]
    return first == column[-1] and column.count(first) == len(column)


def _cut(rows: Rows, places: list[int]) -> list[tuple[object, ...]]:
    return [tuple([row[place] for place in places]) for row in rows]


def written(rows: Rows, opening: str) -> str:
    """Rows of values, side by side."""
    return ", ".join([f"{opening}{', '.join([literal(value) for value in row])})" for row in rows])


def literal(value: Any) -> str:
    """One value, as the server reads it."""
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    raise TypeError(f"no statement takes a {type(value).__name__}")


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return f"'{value}'"
    try:
        return f"_utf8mb4 x'{value.encode().hex()}'"
    except UnicodeEncodeError as error:
        raise BadInput(f"MySQL cannot hold this text: {error}") from None


def _bytes(value: bytes) -> str:
    """A hexadecimal literal loses all beyond its last 64 KiB where MariaDB makes a table of it; what a function returns
    does not."""
    return f"x'{value.hex()}'" if len(value) < HEX_BYTES_MAX else f"concat(x'{value.hex()}')"


def _list(values: Sequence[object]) -> str:
    return f"({', '.join([literal(value) for value in values])})" if values else "(null)"


_WRITERS: dict[type, Callable[[Any], str]] = {
    int: str,
    str: _text,
    bytes: _bytes,
    bytearray: _bytes,
    bool: lambda value: "1" if value else "0",
    float: repr,
    type(None): lambda value: "null",
    list: _list,
    tuple: _list,
}

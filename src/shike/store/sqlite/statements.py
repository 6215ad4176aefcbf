"""The statements of this store, read from `sql/*.sql`: one text per name, for one namespace.

In a file, `-- name: NAME` opens a statement. `{ns}` stands for the namespace, `{day}` for the day of a history table,
`{rows of N}` for as many `(?, …)` of N values as one step takes: a statement over many rows is a single step of
SQLite, which gives the interpreter's lock away once and not once a row.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

ROWS_PER_STEP = (256, 32, 4, 1)  # 256 rows of 14 values are 3,584 variables; SQLite takes 32,766

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_ROWS = re.compile(r"\{rows of (\d+)\}")
_MIGRATION = re.compile(r"^(\d{3})_\w+\.sql$")


@lru_cache(maxsize=1)
def _texts() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted(resources.files("shike.store.sqlite").joinpath("sql").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql") and not _MIGRATION.match(file.name):
            _, *parts = _NAME.split(file.read_text(encoding="utf-8"))
            for name, text in zip(parts[::2], parts[1::2], strict=True):
                assert name not in found, f"there are two statements {name}: who asks for one gets the other"
                found[name] = text.strip().rstrip(";")
    return found


def migrations() -> list[tuple[int, str]]:
    """The numbered steps that build the layout, in order: (number, script)."""
    files = resources.files("shike.store.sqlite").joinpath("sql").iterdir()
    numbered = [(_MIGRATION.match(file.name), file) for file in files]
    return sorted((int(match[1]), file.read_text(encoding="utf-8")) for match, file in numbered if match)


class Statements:
    """The statements for one namespace. Texts are made once and kept, so that SQLite's statement cache finds them."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._plain = {name: text.replace("{ns}", namespace) for name, text in _texts().items()}
        self._made: dict[tuple[str, str, int], str] = {}

    def plain(self, name: str) -> str:
        return self._plain[name]

    def dated(self, name: str, day: str) -> str:
        """`name` for the history table of `day`."""
        return self.many(name, 0, day)

    def many(self, name: str, rows: int, day: str = "") -> str:
        """`name` for so many rows at once."""
        made = self._made.get((name, day, rows))
        if made is None:
            if len(self._made) > 500:
                self._made.clear()
            text = self._plain[name].replace("{day}", day)
            made = _ROWS.sub(lambda match: _values(rows, int(match[1])), text)
            self._made[name, day, rows] = made
        return made


def _values(rows: int, columns: int) -> str:
    return ", ".join(["(" + ", ".join("?" * columns) + ")"] * rows)

"""A dialect's statements, read from its `sql/*.sql`: one text per name, for one namespace.

In a file, `-- name: NAME` opens a statement. `{ns}` stands for the namespace, `{clock}` for the server's clock in UTC
µs; a dialect may have more such words. Files that begin with three digits are the steps that build the layout, in
order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_MIGRATION = re.compile(r"^(\d{3})_\w+\.sql$")


@lru_cache(maxsize=8)
def texts(package: str) -> dict[str, str]:
    """All statements of a package's `sql` folder by name, as they are written."""
    found: dict[str, str] = {}
    for file in sorted(resources.files(package).joinpath("sql").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql") and not _MIGRATION.match(file.name):
            _, *parts = _NAME.split(file.read_text(encoding="utf-8"))
            for name, text in zip(parts[::2], parts[1::2], strict=True):
                assert name not in found, f"{package} has two statements {name}: who asks for one gets the other"
                found[name] = text.strip().rstrip(";")
    return found


def migrations(package: str) -> list[tuple[int, str]]:
    """The numbered steps that build the layout, in order: (number, script)."""
    files = resources.files(package).joinpath("sql").iterdir()
    numbered = [(_MIGRATION.match(file.name), file) for file in files]
    return sorted((int(match[1]), file.read_text(encoding="utf-8")) for match, file in numbered if match)


def filled(text: str, words: Mapping[str, str]) -> str:
    """A text with `{word}` replaced; other braces stay as they are."""
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    return text

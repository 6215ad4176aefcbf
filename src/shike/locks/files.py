"""Lua and SQL of this package, read from their files."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from shike.errors import BadSetting

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_NAMESPACE = re.compile(r"[a-z][a-z0-9_]{0,31}")


def checked(namespace: str) -> str:
    """Raises `BadSetting` for a namespace that cannot begin the name of a table."""
    if not _NAMESPACE.fullmatch(namespace):
        raise BadSetting(f"namespace {namespace!r} is not a short lower-case word (a-z, 0-9, _)")
    return namespace


@cache
def script(name: str) -> str:
    """The text of `lua/NAME.lua`."""
    return resources.files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


@cache
def statements(dialect: str, namespace: str) -> dict[str, str]:
    """The statements of `sql/DIALECT.sql` by name, with `{ns}` filled in."""
    text = resources.files(__package__).joinpath("sql", f"{dialect}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(text.replace("{ns}", namespace))
    return dict(zip(parts[::2], (part.strip().rstrip(";") for part in parts[1::2]), strict=True))

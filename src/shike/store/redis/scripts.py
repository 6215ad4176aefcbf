"""The scripts of this store, put together from `lua/*.lua`: the text that a server runs, and the digest it knows it by.

The first line of a script names the parts that it may use: `-- with: base lanes`. Of those it gets the statements that
it reaches and no others: a server defines every function of a script anew each time it runs it, which costs more than
most of what scripts do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

READS: Final = frozenset(
    {"failed", "gate", "holding", "ids", "look", "peek", "sessions", "timetable", "to_withdraw"}
)  # they change nothing that a replica would have to have

_WORD = re.compile(r"[A-Za-z_]\w*")
_BEGINS = re.compile(r"(?!end\b|else)[A-Za-z]")  # a line that begins a statement at the outermost level
_DEFINES = re.compile(r"local function (\w+)|local ([\w, ]+?)(?: =|$| --)|(\w+) = function")


@dataclass(frozen=True, slots=True)
class Script:
    """One script. `writes`: whether its answer tells of a change that can be lost."""

    name: str
    text: bytes
    digest: bytes
    writes: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """One outermost statement of a part: what it defines (nothing: it is always needed), and every word in it."""

    text: str
    defines: frozenset[str]
    words: frozenset[str]


def statements(part: str) -> list[Statement]:
    """A part, statement by statement. Each begins at the left margin and goes on until the next one does."""
    texts: list[list[str]] = []
    for line in part.splitlines():
        if _BEGINS.match(line):
            texts.append([line])
        elif texts and line and not line.startswith("--"):
            texts[-1].append(line)
    return [_statement("\n".join(lines)) for lines in texts]


def _statement(text: str) -> Statement:
    found = _DEFINES.match(text.partition("\n")[0])
    defines = _WORD.findall(next(filter(None, found.groups()), "")) if found else []
    return Statement(text, frozenset(defines), frozenset(_WORD.findall(text)))


def reached(main: str, known: Iterable[Statement]) -> list[Statement]:
    """Those of the statements, in their order, that a script needs."""
    known, wanted = list(known), set(_WORD.findall(main))
    taken: set[int] = set()
    grows = True
    while grows:
        new = [at for at, one in enumerate(known) if at not in taken and (not one.defines or one.defines & wanted)]
        taken.update(new)
        wanted.update(*(known[at].words for at in new))
        grows = bool(new)
    return [known[at] for at in sorted(taken)]


@lru_cache(maxsize=1)
def scripts() -> dict[str, Script]:
    """All of them by name."""
    texts = {file.stem: file.read_text(encoding="utf-8") for file in Path(__file__).with_name("lua").glob("*.lua")}
    parts: dict[str, list[Statement]] = {}
    found = {}
    for name, text in texts.items():
        first, _, rest = text.partition("\n")
        if first.startswith("-- with: "):
            known = []
            for part in first.removeprefix("-- with: ").split():
                if part not in parts:
                    parts[part] = statements(texts[part])
                known += parts[part]
            whole = "\n".join([*(one.text for one in reached(rest, known)), rest]).encode()
            found[name] = Script(name, whole, hashlib.sha1(whole).hexdigest().encode(), name not in READS)  # noqa: S324
    return found

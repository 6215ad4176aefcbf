"""A small language for picking runs: `task=mail.send and tenant=acme`, `queue=mail and not (size<100 or vip=true)`.

A *term* compares a word about the run with a value: `=`, `!=`, `<`, `<=`, `>`, `>=`, `^=` (begins with). The words are
`task`, `queue`, `key`, `owner`, `schedule`, `band`, and the names of arguments (`arg.task` where an argument is called
like one of the former). Values are words, numbers, `true`, `false`, or texts in double quotes. Terms are joined by
`and`, `or`, `not` and parentheses. Nothing is ever evaluated: a predicate is a tree of comparisons. An argument that a
run does not have, or that cannot be compared, makes its term false.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from shike.errors import BadPredicate
from shike.lanes import queue_of
from shike.limit.bounds import PREDICATE_CHARS_MAX, PREDICATE_DEPTH_MAX
from shike.model import Run

ABOUT_RUNS: Final = ("task", "queue", "key", "owner", "schedule", "band")
_SIGN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\\x00-\x1f]|\\["\\])*")|(?P<op>!=|<=|>=|\^=|=|<|>)|(?P<mark>[()])|(?P<word>[^\s()=<>!^"]+))'
)


class Term(Struct, frozen=True):
    """One comparison."""

    name: str
    op: str
    value: str | int | float | bool


class All(Struct, frozen=True):
    """Each of them holds."""

    parts: tuple[Node, ...]


class Any_(Struct, frozen=True):
    """One of them holds."""

    parts: tuple[Node, ...]


class Not(Struct, frozen=True):
    """It does not hold."""

    part: Node


Node: TypeAlias = Term | All | Any_ | Not


def parse(text: str) -> Node:
    """The predicate that a text is; raises `BadPredicate`, which says where."""
    if not isinstance(text, str) or not text.strip():
        raise BadPredicate("a predicate is a text such as task=mail.send and tenant=acme", at=0)
    if len(text) > PREDICATE_CHARS_MAX:
        raise BadPredicate(f"a predicate has at most {PREDICATE_CHARS_MAX:,} characters", at=PREDICATE_CHARS_MAX)
    return _Parser(text).whole()


def holds(node: Node, run: Run, args: Mapping[str, Any]) -> bool:
    """Whether a run, with these arguments, is meant."""
    match node:
        case All(parts):
            return all(holds(part, run, args) for part in parts)
        case Any_(parts):
            return any(holds(part, run, args) for part in parts)
        case Not(part):
            return not holds(part, run, args)
        case Term():
            return _compare(node, _value_of(node.name, run, args))


def needs_args(node: Node) -> bool:
    """Whether a run's arguments have to be read for it."""
    match node:
        case All(parts) | Any_(parts):
            return any(map(needs_args, parts))
        case Not(part):
            return needs_args(part)
        case Term():
            return node.name not in ABOUT_RUNS


def _value_of(name: str, run: Run, args: Mapping[str, Any]) -> Any:
    if name == "queue":
        return queue_of(run.queue)
    if name in ABOUT_RUNS:
        return getattr(run, name)
    return args.get(name.removeprefix("arg."))


def _compare(term: Term, found: Any) -> bool:
    wanted: Any = term.value
    if isinstance(found, bool) or isinstance(wanted, bool):
        same = found is wanted
        return same if term.op == "=" else term.op == "!=" and not same and found is not None
    if isinstance(found, str) and isinstance(wanted, int | float):
        wanted = str(wanted)
    if found is None or isinstance(found, str) is not isinstance(wanted, str):
        return term.op == "!=" and found is not None
    if not isinstance(found, str | int | float):
        return False
    match term.op:
        case "=":
            return bool(found == wanted)
        case "!=":
            return bool(found != wanted)
        case "^=":
            return isinstance(found, str) and found.startswith(wanted)
        case "<":
            return bool(found < wanted)
        case "<=":
            return bool(found <= wanted)
        case ">":
            return bool(found > wanted)
        case _:
            return bool(found >= wanted)


class _Parser:
    """Recursive descent, with a bound on its depth: or < and < not < term."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._signs = self._split()
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._or()
        if self._at < len(self._signs):
            self._refuse(f"{self._signs[self._at][1]!r} is too much; join terms by and, or")
        return node

    def _split(self) -> list[tuple[str, str, int]]:
        signs, at, text = [], 0, self._text.rstrip()
        while at < len(text):
            found = _SIGN.match(text, at)
            if found is None:
                raise BadPredicate(f"{text[at : at + 20]!r} cannot be read, at character {at + 1}", at=at)
            kind = str(found.lastgroup)
            signs.append((kind, found.group(kind), found.start(kind)))
            at = found.end()
        return signs

    def _peek(self) -> tuple[str, str]:
        return self._signs[self._at][:2] if self._at < len(self._signs) else ("", "")

    def _is_word(self, word: str) -> bool:
        kind, text = self._peek()
        return kind == "word" and text.lower() == word

    def _or(self) -> Node:
        parts = [self._and()]
        while self._is_word("or"):
            self._at += 1
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Any_(tuple(parts))

    def _and(self) -> Node:
        parts = [self._not()]
        while self._is_word("and"):
            self._at += 1
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _not(self) -> Node:
        self._depth += 1
        if self._depth > PREDICATE_DEPTH_MAX:
            self._refuse(f"it is nested deeper than {PREDICATE_DEPTH_MAX}")
        try:
            if self._is_word("not"):
                self._at += 1
                return Not(self._not())
            if self._peek() == ("mark", "("):
                return self._inner()
            return self._term()
        finally:
            self._depth -= 1

    def _inner(self) -> Node:
        self._at += 1
        node = self._or()
        if self._peek() != ("mark", ")"):
            self._refuse("a parenthesis is not closed")
        self._at += 1
        return node

    def _term(self) -> Node:
        kind, name = self._peek()
        if kind != "word":
            self._refuse("a name is missing, as in tenant=acme")
        self._at += 1
        kind, op = self._peek()
        if kind != "op":
            self._refuse(f"{name!r} is compared with nothing; write {name}=VALUE")
        self._at += 1
        kind, value = self._peek()
        if kind not in ("word", "text"):
            self._refuse(f"a value is missing after {name}{op}")
        self._at += 1
        return Term(name, op, _value(kind, value))

    def _refuse(self, words: str) -> None:
        at = self._signs[self._at][2] if self._at < len(self._signs) else len(self._text)
        raise BadPredicate(f"{self._text!r}, at character {at + 1}: {words}", at=at)


def _value(kind: str, text: str) -> str | int | float | bool:
    if kind == "text":
        return str(msgspec.json.decode(text))
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    if re.fullmatch(r"-?[0-9]{1,18}\.[0-9]{1,18}", text):
        return float(text)
    return text

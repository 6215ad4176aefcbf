"""`shike limits`: list, show, set, reset."""

from __future__ import annotations

from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from shike.cli import output
from shike.cli.root import FINE
from shike.cli.where import ANYWHERE, Where, at_desk
from shike.errors import BadInput
from shike.limit import shown as limits
from shike.limit.shown import KeyFacts, LimitFacts

app = App(name="limits", help="List, show and change what limits the runs of tasks.")


@app.command(name="list")
def list_(task: str = "", /, *, where: Where = ANYWHERE) -> int:
    """Every limit that tasks declare, as it holds now; or those of one task."""
    found = at_desk(where, lambda desk: limits.listing(desk.store, desk.full_name(task)))
    if where.json:
        output.as_json({"limits": found})
    else:
        rows = [(one.task, one.name, one.words, _changed(one)) for one in found]
        output.table(("task", "limit", "", ""), rows, empty="no task has declared a limit")
    return FINE


@app.command
def show(
    task: str,
    /,
    *values: Annotated[str, Parameter(help="One key, by the arguments it goes by: tenant=acme.")],
    where: Where = ANYWHERE,
) -> int:
    """The keys of a task's limits that are in use or waited for: how much is taken, by which runs, and who waits."""
    asked = _pairs(values) or None
    found = at_desk(where, lambda desk: limits.keys(desk.store, desk.full_name(task), asked))
    if where.json:
        output.as_json({"keys": found})
    else:
        output.table(
            ("limit", "key", "taken", "by runs", "waiting", ""),
            [row_of(one) for one in found],
            empty=f"no limit of {task} is in use",
        )
    return FINE


@app.command(name="set")
def set_(
    task: str,
    name: str,
    /,
    *numbers: Annotated[str, Parameter(help="What to change: cap=8, rate=100/m, burst=20.")],
    who: Annotated[str, Parameter(help="Who says so; kept with the change.")] = "",
    where: Where = ANYWHERE,
) -> int:
    """Change a limit for the whole cluster until it is reset: `shike limits set mail.send concurrency:tenant cap=8`."""
    wanted = _pairs(numbers)
    fact = at_desk(where, lambda desk: limits.set_limit(desk.store, desk.full_name(task), name, wanted, who))
    return _say(where, fact)


@app.command
def reset(task: str, name: str, /, *, where: Where = ANYWHERE) -> int:
    """Let what the code says hold again."""
    fact = at_desk(where, lambda desk: limits.reset(desk.store, desk.full_name(task), name))
    return _say(where, fact)


def _pairs(words: tuple[str, ...]) -> dict[str, object]:
    found: dict[str, object] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise BadInput(f"{word!r}: write NAME=VALUE")
        found[name] = _value(value)
    return found


def _value(text: str) -> object:
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, int | float | str | bool | dict) else text


def _changed(one: LimitFacts) -> str:
    if not one.declared:
        return ""
    return f"changed{f' by {one.changed_by}' if one.changed_by else ''} {output.local(one.changed_at)}"


def row_of(one: KeyFacts) -> tuple[object, ...]:
    """A line of `show`. Of many holders the first few are told, as `explain` does."""
    taken = f"{one.taken} of {one.cap}" if one.cap else ""
    by = ", ".join(one.holders) + (" …" if one.taken > len(one.holders) else "")
    return (one.name, one.key, taken, by, one.waiting or "", one.why)


def _say(where: Where, fact: LimitFacts) -> int:
    if where.json:
        output.as_json({"limit": fact})
    else:
        print(f"{fact.task} {fact.name}: {fact.words}")
    return FINE

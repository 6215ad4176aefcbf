"""`shike queues`: list, pause, resume."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from shike.cli import output
from shike.cli.root import FINE
from shike.cli.where import ANYWHERE, Where, at_desk
from shike.operate import queues

app = App(name="queues", help="List, pause and resume queues.")


@app.command(name="list")
def list_(*, where: Where = ANYWHERE) -> int:
    """Queues that have live runs or are paused."""
    found = at_desk(where, lambda desk: queues.listing(desk.store))
    if where.json:
        output.as_json({"queues": found})
    else:
        rows = [(one.name, one.live, f"paused: {one.reason}" if one.paused else "") for one in found]
        output.table(("queue", "live runs", ""), rows, empty="no queue has live runs")
    return FINE


@app.command
def pause(
    name: str,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why: whoever finds it paused will ask.")],
    where: Where = ANYWHERE,
) -> int:
    """Grant nothing from a queue any more; what runs goes on."""
    at_desk(where, lambda desk: queues.pause(desk.store, name, reason))
    return _say(where, name, "paused", "is paused")


@app.command
def resume(name: str, /, *, where: Where = ANYWHERE) -> int:
    """Grant from a queue again."""
    was_paused = at_desk(where, lambda desk: queues.resume(desk.store, name))
    return _say(where, name, "resumed" if was_paused else "unchanged", "goes on" if was_paused else "was not paused")


def _say(where: Where, name: str, answer: str, words: str) -> int:
    if where.json:
        output.as_json({"queue": name, "answer": answer})
    else:
        print(f"queue {name} {words}")
    return FINE

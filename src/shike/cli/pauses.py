"""`shike pause`, `shike resume`, `shike pauses`: hold back a queue, a task, a tag, a key."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from shike.cli import output
from shike.cli.root import FINE
from shike.cli.times import when
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.clock import to_datetime, to_micros
from shike.model import NEVER
from shike.waiting import pauses as holding

Queue = Annotated[str, Parameter(help="Everything in this queue.")]
Task = Annotated[str, Parameter(help="Every run of this task.")]
Tag = Annotated[str, Parameter(help="Every task that has this tag.")]
Key = Annotated[str, Parameter(help="The runs with this business key.")]


def pause(
    *,
    queue: Queue = "",
    task: Task = "",
    tag: Tag = "",
    key: Key = "",
    reason: Annotated[str, Parameter(help="Why: whoever finds it paused will ask.")],
    until: Annotated[str, Parameter(help="Go on by itself at this time.")] = "",
    where: Where = ANYWHERE,
) -> int:
    """Begin nothing of a queue, a task, a tag or a key any more; what runs goes on."""
    end = to_micros(when(until)) if until else NEVER

    async def work(desk: Desk) -> holding.Pause:
        what = holding.what_of(queue=queue, task=desk.full_name(task), tag=tag, key=key)
        return await holding.pause(desk.store, what, reason, end)

    made = at_desk(where, work)
    return _say(where, made.what, "paused", "is paused")


def resume(*, queue: Queue = "", task: Task = "", tag: Tag = "", key: Key = "", where: Where = ANYWHERE) -> int:
    """Let what was paused begin again."""

    async def work(desk: Desk) -> tuple[holding.What, bool]:
        what = holding.what_of(queue=queue, task=desk.full_name(task), tag=tag, key=key)
        return what, await holding.resume(desk.store, what)

    what, was_paused = at_desk(where, work)
    return _say(where, what, "resumed" if was_paused else "unchanged", "goes on" if was_paused else "was not paused")


def pauses(*, where: Where = ANYWHERE) -> int:
    """All that is paused, why, and until when."""
    found = at_desk(where, lambda desk: holding.listing(desk.store))
    if where.json:
        output.as_json({"pauses": found})
    else:
        rows = [
            (one.what.kind, one.what.name, output.local(to_datetime(one.until)) if one.until else "", one.reason)
            for one in found
        ]
        output.table(("what", "name", "until", "why"), rows, empty="nothing is paused")
    return FINE


def _say(where: Where, what: holding.What, answer: str, words: str) -> int:
    if where.json:
        output.as_json({"what": what, "answer": answer})
    else:
        print(f"{what} {words}")
    return FINE

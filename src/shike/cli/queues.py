"""`shike queues`: list, pause, resume, order."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from shike.cli import output
from shike.cli.root import FINE
from shike.cli.times import when
from shike.cli.where import ANYWHERE, Desk, Where, at_desk, served
from shike.operate import queues
from shike.waiting import orders

app = App(name="queues", help="List, pause and resume queues, and choose their order.")


@app.command(name="list")
def list_(*, where: Where = ANYWHERE) -> int:
    """Queues that have live runs or are paused."""
    found = at_desk(where, lambda desk: queues.listing(desk.store))
    if where.json:
        output.as_json({"queues": found})
    else:
        rows = [(one.name, one.live, one.order, _paused(one)) for one in found]
        output.table(("queue", "live runs", "order", ""), rows, empty="no queue has live runs")
    return FINE


@app.command
def pause(
    name: str,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why: whoever finds it paused will ask.")],
    until: Annotated[str, Parameter(help="Go on by itself at this time.")] = "",
    create: Annotated[bool, Parameter(help="Also a queue that nothing tells of yet.", negative="")] = False,
    where: Where = ANYWHERE,
) -> int:
    """Grant nothing from a queue any more; what runs goes on."""

    end = when(until) if until else None

    async def work(desk: Desk) -> None:
        if not create:
            await queues.check_known(desk.store, name, _of_app(desk))
        await queues.pause(desk.store, name, reason, end)

    at_desk(where, work)
    return _say(where, name, "paused", "is paused")


@app.command
def resume(name: str, /, *, where: Where = ANYWHERE) -> int:
    """Grant from a queue again."""

    async def work(desk: Desk) -> bool:
        await queues.check_known(desk.store, name, _of_app(desk))
        return await queues.resume(desk.store, name)

    was_paused = at_desk(where, work)
    return _say(where, name, "resumed" if was_paused else "unchanged", "goes on" if was_paused else "was not paused")


@app.command
def order(
    name: str,
    by: Annotated[str, Parameter(help="priority, fifo or deadline.")],
    /,
    *,
    where: Where = ANYWHERE,
) -> int:
    """What goes out first of a queue: by band (priority), by time alone (fifo), or by expiry (deadline)."""
    chosen = at_desk(where, lambda desk: orders.choose(desk.store, name, by))
    return _say(where, name, chosen, f"goes out by {chosen}")


def _paused(one: queues.QueueFacts) -> str:
    if not one.paused:
        return ""
    end = f" until {output.local(one.until)}" if one.until else ""
    return f"paused{end}: {one.reason}"


def _of_app(desk: Desk) -> list[str]:
    """The queues that the app names, where one is given: runs need not have been there yet."""
    return [share.name for share in served(desk.loaded, desk.app)] if desk.app is not None else []


def _say(where: Where, name: str, answer: str, words: str) -> int:
    if where.json:
        output.as_json({"queue": name, "answer": answer})
    else:
        print(f"queue {name} {words}")
    return FINE

"""`shike queues`: list, pause, resume."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from shike.cli import output
from shike.cli.root import FINE
from shike.cli.where import ANYWHERE, Desk, Where, at_desk, served
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
    create: Annotated[bool, Parameter(help="Also a queue that nothing tells of yet.", negative="")] = False,
    where: Where = ANYWHERE,
) -> int:
    """Grant nothing from a queue any more; what runs goes on."""

    async def work(desk: Desk) -> None:
        if not create:
            await queues.check_known(desk.store, name, _of_app(desk))
        await queues.pause(desk.store, name, reason)

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


def _of_app(desk: Desk) -> list[str]:
    """The queues that the app names, where one is given: runs need not have been there yet."""
    return [share.name for share in served(desk.loaded, desk.app)] if desk.app is not None else []


def _say(where: Where, name: str, answer: str, words: str) -> int:
    if where.json:
        output.as_json({"queue": name, "answer": answer})
    else:
        print(f"queue {name} {words}")
    return FINE

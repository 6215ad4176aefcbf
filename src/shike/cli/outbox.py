"""`shike outbox`: make one, relay it, and look after the rows that were set aside."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter

from shike.bounds import REFUSED_LISTED
from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.clock import MICROS, to_datetime
from shike.counted import counted
from shike.errors import BadInput

if TYPE_CHECKING:
    from shike.outbox.table import Table

T = TypeVar("T")

app = App(name="outbox", help="Hand over runs from an application's own database.")

From = Annotated[str, Parameter(name="FROM", help="URL of the application's database.")]
All = Annotated[bool, Parameter(help="All that were set aside.", negative="")]


@app.command
def create(
    source: From,
    /,
    *,
    show: Annotated[bool, Parameter(help="Only print the SQL; connect to nothing.", negative="")] = False,
    where: Where = ANYWHERE,
) -> int:
    """Make the table of an outbox in an application's database, or bring it up to date. It may be repeated."""
    if show:
        from shike.outbox.opening import layout

        print(layout(source, _namespace(where)), end="")
        return FINE
    name = asyncio.run(_with_table(source, where, _create))
    if where.json:
        output.as_json({"table": name})
    else:
        print(f"{name} is there: write into it with Outbox.submit_on, and relay it with shike outbox relay")
    return FINE


@app.command
def relay(
    source: From,
    /,
    *,
    drain: Annotated[bool, Parameter(help="Stop when nothing waits any more.", negative="")] = False,
    log_level: Annotated[str | None, Parameter(help="debug, info, warning, error or critical.")] = None,
    where: Where = ANYWHERE,
) -> int:
    """Move runs from an outbox into the store, each exactly once, until SIGTERM or Ctrl-C. Any number may run at once.

    With an app (--app, SHIKE_APP, shike.toml), rows for tasks that it does not have, or whose arguments do not fit,
    are set aside; without one their workers find out.
    """
    from shike.cli.logs import start_logging

    start_logging(where.settings(log_level=log_level).settings.log_level, as_json=where.json)

    async def work(desk: Desk) -> tuple[int, int]:
        from shike.outbox.accept import anything
        from shike.outbox.opening import open_table
        from shike.outbox.relay import Relay

        table = open_table(source, desk.loaded.settings.namespace)
        relay = Relay(table, desk.client, desk.app.find_task if desk.app is not None else anything)
        try:
            await table.check()
            await (relay.drain() if drain else _until_told(relay.run()))
        finally:
            await table.close()
        return relay.handed_on, relay.refused

    handed_on, refused = at_desk(where, work, needs_app=bool(where.settings().settings.app))
    if where.json:
        output.as_json({"handed_on": handed_on, "refused": refused})
    else:
        print(f"{counted(handed_on, 'run')} handed on, {refused:,} set aside")
    return FOUND if refused else FINE


@app.command(name="list")
def list_(
    source: From,
    /,
    *,
    limit: Annotated[int, Parameter(help="At most so many.")] = 20,
    where: Where = ANYWHERE,
) -> int:
    """The rows that were set aside, with the reason, and how many wait. Exit code 1 if there is one."""
    if not 1 <= limit <= REFUSED_LISTED:
        raise BadInput(f"--limit {limit}: between 1 and {REFUSED_LISTED:,}")

    async def work(table: Table) -> int:
        counts, refused = await table.counts(), await table.refused(limit)
        oldest_seconds = max(counts.oldest_micros, 0) / MICROS
        if where.json:
            output.as_json({"waiting": counts.waiting, "oldest_seconds": oldest_seconds, "refused": refused})
            return FOUND if refused else FINE
        since = f", the first for {output.seconds(oldest_seconds)}" if counts.waiting else ""
        print(f"{counted(counts.waiting, 'row')} waiting{since}; {counts.refused:,} set aside")
        if refused:
            rows = [(row.id, row.task, to_datetime(row.refused_at), row.args[:80], row.reason) for row in refused]
            output.table(("id", "task", "set aside", "arguments", "reason"), rows)
        return FOUND if refused else FINE

    return asyncio.run(_with_table(source, where, work))


@app.command
def retry(source: From, /, *ids: str, all_: All = False, where: Where = ANYWHERE) -> int:
    """Let rows that were set aside be relayed again: by id, or all."""
    return _chosen(source, ids, where, all_, "retry", "will be relayed again")


@app.command
def drop(source: From, /, *ids: str, all_: All = False, where: Where = ANYWHERE) -> int:
    """Forget rows that were set aside: by id, or all."""
    return _chosen(source, ids, where, all_, "drop", "dropped")


def _chosen(source: str, ids: tuple[str, ...], where: Where, everything: bool, verb: str, done: str) -> int:
    from shike.outbox.table import row_number

    if bool(ids) == everything:
        raise BadInput("say which: ids of rows, or --all")
    numbers = None if everything else [row_number(one) for one in ids]
    count = asyncio.run(_with_table(source, where, lambda table: getattr(table, verb)(numbers)))
    if where.json:
        output.as_json({"count": count})
    else:
        print(f"{counted(count, 'row')} {done}")
    return FINE


def _namespace(where: Where) -> str:
    return where.settings().settings.namespace


async def _create(table: Table) -> str:
    await table.create()
    return table.name


async def _with_table(source: str, where: Where, work: Callable[[Table], Awaitable[T]]) -> T:
    from shike.outbox.opening import open_table

    if where.store:
        raise BadInput("this looks into the application's database, which is named first; it needs no --store")
    table = open_table(source, _namespace(where))
    try:
        return await work(table)
    finally:
        await table.close()


async def _until_told(work: Awaitable[None]) -> None:
    """Until a signal comes, or it ends by itself."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()

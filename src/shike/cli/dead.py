"""`shike dead`: list, group, replay, drop."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.counted import counted
from shike.errors import BadInput
from shike.operate import dead
from shike.operate.runs import run_id_of

app = App(name="dead", help="List, group, replay and drop dead letters.")

Task = Annotated[str, Parameter(help="All of this task.")]
GroupOf = Annotated[str, Parameter(help="All of this fingerprint: `shike dead groups`.")]
All = Annotated[bool, Parameter(help="All there are.", negative="")]


@app.command(name="list")
def list_(
    *,
    task: Annotated[str, Parameter(help="Only of this task.")] = "",
    limit: Annotated[int, Parameter(help="At most so many.")] = 20,
    where: Where = ANYWHERE,
) -> int:
    """Dead letters, newest first: what failed, why, and whose they are. Exit code 1 if one waits for somebody."""
    if not 1 <= limit <= dead.MANY_MAX:
        raise BadInput(f"--limit {limit}: between 1 and {dead.MANY_MAX:,}")
    found = at_desk(where, lambda desk: dead.listing(desk.store, limit, task=desk.full_name(task)))
    if where.json:
        output.as_json({"dead": found})
    else:
        rows = [(run.id, run.task, run.ended_at, run.attempts, run.owner, run.replayed_as, run.reason) for run in found]
        heads = ("id", "task", "died", "attempts", "owner", "replayed as", "reason")
        output.table(heads, rows, empty="no dead letters")
    return FOUND if any(not run.replayed_as for run in found) else FINE


@app.command
def groups(*, task: Annotated[str, Parameter(help="Only of this task.")] = "", where: Where = ANYWHERE) -> int:
    """Dead letters by fingerprint: one line for each kind of failure in each place. Exit code 1 if one waits for
    somebody."""
    found = at_desk(where, lambda desk: dead.grouped(desk.store, task=desk.full_name(task)))
    if where.json:
        output.as_json(found)
    else:
        rows = [
            (one.fingerprint, one.count, one.waiting, " ".join(one.tasks), one.last_at, one.place, one.reason)
            for one in found.groups
        ]
        heads = ("fingerprint", "count", "waiting", "task", "last died", "where", "reason")
        output.table(heads, rows, empty="no dead letters")
        if found.more:
            print(f"of the newest {found.looked_at:,}")
    return FOUND if any(one.waiting for one in found.groups) else FINE


@app.command
def replay(*run_ids: str, task: Task = "", group: GroupOf = "", all_: All = False, where: Where = ANYWHERE) -> int:
    """Run dead letters again as new runs: by id, all of a task, of a group, or all. Each one once."""
    numbers = _numbers(run_ids, task, group, all_)

    async def work(desk: Desk) -> dead.Replays:
        letters = await dead.pick(desk.store, numbers, task=desk.full_name(task), group=group, everything=all_)
        return await dead.replay_all(desk.client, letters)

    done = at_desk(where, work)
    if where.json:
        output.as_json(done)
    else:
        for old, new in done.replayed.items():
            print(f"{old} runs again as {new}")
        before = f", {len(done.before):,} replayed before" if done.before else ""
        print(f"{counted(len(done.replayed), 'dead letter')} replayed{before}")
    return FINE


@app.command
def drop(*run_ids: str, task: Task = "", group: GroupOf = "", all_: All = False, where: Where = ANYWHERE) -> int:
    """Forget dead letters that are dealt with: by id, all of a task, of a group, or all."""
    numbers = _numbers(run_ids, task, group, all_)

    async def work(desk: Desk) -> int:
        letters = await dead.pick(desk.store, numbers, task=desk.full_name(task), group=group, everything=all_)
        return await dead.drop(desk.store, letters)

    count = at_desk(where, work)
    if where.json:
        output.as_json({"dropped": count})
    else:
        print(f"{counted(count, 'dead letter')} dropped")
    return FINE


def _numbers(run_ids: tuple[str, ...], task: str, group: str, everything: bool) -> list[int]:
    if sum((bool(run_ids), bool(task or group), everything)) != 1:
        raise BadInput("say which: run ids, --task NAME, --group FINGERPRINT, or --all")
    return [run_id_of(one) for one in run_ids]

"""`shike explain`: why this worker, or why none yet."""

from __future__ import annotations

from collections.abc import Sequence

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.operate import explain as explaining
from shike.operate.explain import Choice, Contender, Why
from shike.operate.runs import find, run_id_of


def explain(run_id: str, /, *, where: Where = ANYWHERE) -> int:
    """Every decision about a run's worker, made again from the snapshot of the workers that it names; or, of a run that
    waits, why none may have it. Exit code 1 if a decision does not come out the same again."""
    number = run_id_of(run_id)

    async def work(desk: Desk) -> Why:
        known = await find(desk.store, number)
        task = desk.app.tasks.get(known.run.task) if desk.app is not None else None
        return await explaining.explain(desk.store, desk.client.runtime.clock, number, task.tags if task else ())

    why = at_desk(where, work)
    if where.json:
        output.as_json({"why": why})
    else:
        print(f"run {why.run} is {why.state}: {why.words}")
        for words in (*why.paused, why.place):
            if words:
                print(f"it is {words}" if words.startswith("paused") else f"it {words}")
        for choice in why.choices:
            _tell(choice)
        if why.contenders:
            print("\nas things are now:")
            _table(why.contenders)
    return FOUND if any(choice.again is False for choice in why.choices) else FINE


def _tell(choice: Choice) -> None:
    print(f"\n{output.local(choice.at, parts=True)} to {choice.worker or 'a worker'}, by {choice.rule or choice.words}")
    if choice.rule and choice.words:
        print(choice.words)
    if choice.again is False:
        print("chosen again from its snapshot, it is another: a strategy changed since, or the record is damaged")
    _table(choice.contenders)


def _table(contenders: Sequence[Contender]) -> None:
    rows = [
        (
            one.worker or one.session[:8],
            one.session[:8],
            "" if one.score is None else f"{one.score:.6g}",
            "chosen" if one.chosen else one.why_not,
        )
        for one in contenders
    ]
    output.table(("worker", "session", "score", ""), rows, empty="no worker was looked at")

"""Runs of limited tasks that were granted over HTTP and never stood at their gate: given back, and put there.

What a worker of our own knows from its code (`shike.worker.turnback`), the server knows from its app, or from what
others told the store.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from shike.errors import BadInput
from shike.limit.gates import is_limit_gate
from shike.limit.strays import GIVEN_BACK_SECONDS, WORDS, put_before
from shike.server.ask import Ask
from shike.store.verbs import Ack, Answer, Batch, Claimed
from shike.track import settle


async def without_strays(ask: Ask[Any, Any], session: str, batch: Batch) -> Batch:
    """The batch without those, which are settled here. One whose arguments tell no key is a dead letter."""
    desk = ask.desk
    tasks = {one.run.task: desk.tasks.find(one.run.task).definition for one in batch.runs}
    await desk.client.told.learn(desk.store, tasks.values())
    missed: dict[int, tuple[str, Claimed]] = {}
    acks: list[Ack] = []
    for one in batch.runs:
        if is_limit_gate(one.run.gate):
            continue
        try:
            gate = desk.client.told.gate(tasks[one.run.task], desk.client.codec.decode(one.run.args))
        except BadInput as error:
            acks.append(settle.unfit(one, str(error)))
            continue
        if gate:
            missed[one.run.id] = gate, one
            acks.append(settle.put_off(one, GIVEN_BACK_SECONDS, WORDS))
    if not acks:
        return batch
    answers = await desk.store.settle(session, acks)
    refused = {ack.run_id for ack, answer in zip(acks, answers, strict=True) if answer is not Answer.ACCEPTED}
    await put_before(desk.store, {run_id: found for run_id, found in missed.items() if run_id not in refused})
    gone = {ack.run_id for ack in acks}
    return replace(batch, runs=[one for one in batch.runs if one.run.id not in gone])

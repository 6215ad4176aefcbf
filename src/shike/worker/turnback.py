"""Granted runs of limited tasks that never stood at their gate do not begin: they are given back, and put there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from shike.errors import ShikeError, StoreError
from shike.limit.strays import GIVEN_BACK_SECONDS, WORDS, gate_missed, put_before
from shike.store.base import Store
from shike.store.codec import Codec, Plain
from shike.store.verbs import Ack, Answer, Claimed
from shike.task import Definition
from shike.track import settle

log = logging.getLogger("shike.worker")


class Turnback:
    """`ended` gets each run that has to wait for its limits, given back; and each whose arguments tell no key."""

    def __init__(
        self,
        store: Store,
        codec: Codec | None,
        tasks: Mapping[str, Definition],
        ended: Callable[[Claimed, Ack], None],
    ) -> None:
        self._store = store
        self._codec = codec or Plain()
        self._tasks = tasks
        self._ended = ended
        self._missed: dict[int, tuple[str, Claimed]] = {}  # given back, and not acknowledged yet
        self._moving: set[asyncio.Task[None]] = set()

    def keep_back(self, runs: Sequence[Claimed]) -> Sequence[Claimed]:
        """Those that may begin. Their arguments are whole."""
        if not any(self._limits_one(claimed) for claimed in runs):
            return runs
        return [claimed for claimed in runs if not self._limits_one(claimed) or self._may_begin(claimed)]

    def answered(self, acks: Sequence[Ack], answers: Sequence[Answer]) -> None:
        """Acknowledgements were heard: what was given back can be moved."""
        if not self._missed:
            return
        heard = {
            ack.run_id: missed
            for ack, answer in zip(acks, answers, strict=True)
            if (missed := self._missed.pop(ack.run_id, None)) and answer in (Answer.ACCEPTED, Answer.ALREADY)
        }
        if heard:
            task = asyncio.get_running_loop().create_task(self._put(heard), name="shike:turnback")
            self._moving.add(task)
            task.add_done_callback(self._moving.discard)

    def _limits_one(self, claimed: Claimed) -> bool:
        definition = self._tasks.get(claimed.run.task)
        return definition is not None and definition.limits is not None

    def _may_begin(self, claimed: Claimed) -> bool:
        run = claimed.run
        try:
            gate = gate_missed(run, self._tasks[run.task].limits, self._codec.decode(run.args))
        except (ShikeError, ValueError) as error:
            self._ended(claimed, settle.unfit(claimed, str(error)))
            return False
        if gate:
            self._missed[run.id] = gate, claimed
            self._ended(claimed, settle.put_off(claimed, GIVEN_BACK_SECONDS, WORDS))
        return not gate

    async def _put(self, missed: Mapping[int, tuple[str, Claimed]]) -> None:
        try:
            await put_before(self._store, missed)
        except StoreError as error:  # they are granted again, and put there then
            log.debug("runs that have to wait for their limits could not be moved yet: %s", error)

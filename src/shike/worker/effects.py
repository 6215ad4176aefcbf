"""What the end of a run brings with it: the next moment of a fixed delay, and who tells of a success."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from shike.errors import ShikeError
from shike.ids import bucket_of
from shike.model import Run, State
from shike.session import Member
from shike.store.verbs import Ack
from shike.task import Definition
from shike.track import settle

log = logging.getLogger("shike.worker")


class Effects:
    """Adds effects to acknowledgements that end a run. What cannot be added harms nobody: it is logged."""

    def __init__(self, member: Member, tasks: Mapping[str, Definition], encode: Callable[[bytes], bytes]) -> None:
        self._member = member
        self._tasks = tasks
        self._encode = encode

    def __call__(self, ack: Ack, run: Run) -> Ack:
        ids, task = self._member.ids, self._tasks.get(run.task)
        tellers = task.tellers if task is not None and ack.state is State.SUCCESS else ()
        if ids is None or not (run.options or tellers):
            return ack

        def take_id() -> int:
            return ids.next(bucket_of(run.id))

        try:
            ack = settle.with_repeat(ack, run, take_id) if run.options else ack
        except ShikeError as error:
            log.warning("run %d: its next moment is left to the planner: %s", run.id, error)
        try:
            return settle.with_news(ack, run, tellers, take_id, self._encode) if tellers else ack
        except ShikeError as error:
            log.error("run %d: nobody is told of its success: %s", run.id, error)
            return ack

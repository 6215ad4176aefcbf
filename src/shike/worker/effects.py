"""What an acknowledgement that ends its run does in the same step: plan a fixed delay's next moment, tell of it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from shike.errors import ShikeError
from shike.ids import RunIds, bucket_of
from shike.model import Run
from shike.store.verbs import Ack
from shike.task import Definition
from shike.track import settle

log = logging.getLogger("shike.worker")


def with_effects(
    ack: Ack, run: Run, task: Definition | None, ids: RunIds | None, encode: Callable[[bytes], bytes]
) -> Ack:
    """The same acknowledgement, with what its run's options and its task's tellers ask for. What cannot be done is
    logged: the end itself must not fail of it."""
    tellers = task.tellers if task is not None else ()
    if ids is None or not (run.options or tellers):
        return ack

    def take_id() -> int:
        return ids.next(bucket_of(run.id))

    try:
        ack = settle.with_repeat(ack, run, take_id) if run.options else ack
    except ShikeError as error:
        log.warning("run %d: its next moment is left to the planner: %s", run.id, error)
    try:
        return settle.with_news(ack, run, tellers, take_id, encode) if tellers else ack
    except ShikeError as error:
        log.error("run %d: nobody is told of its end: %s", run.id, error)
        return ack

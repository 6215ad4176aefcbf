"""What every sink does: take one outcome, and return when it is safe there."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec
from msgspec import Struct

from shike.clock import to_datetime
from shike.connect.bounds import BODY_BYTES_MAX
from shike.errors import TooLarge
from shike.model import Ended
from shike.store.codec import Codec


class Outcome(Struct, frozen=True, kw_only=True):
    """How a run ended, as the world is told it: JSON with these names. `ended_at` is ISO 8601 in UTC."""

    run_id: str
    task: str
    state: str
    ended_at: str
    attempts: int
    reason: str = ""
    key: str = ""
    schedule: str = ""
    result: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def body(self) -> bytes:
        """Raises `TooLarge`."""
        body = msgspec.json.encode(self)
        if len(body) > BODY_BYTES_MAX:
            words = f"the outcome of run {self.run_id} has more than {BODY_BYTES_MAX:,} bytes"
            raise TooLarge(words, size=len(body), limit=BODY_BYTES_MAX)
        return body


def outcome_of(ended: Ended, codec: Codec) -> Outcome:
    run = ended.run
    return Outcome(
        run_id=str(run.id),
        task=run.task,
        state=ended.state.name,
        ended_at=to_datetime(ended.ended_at).isoformat(),
        attempts=ended.attempts,
        reason=ended.reason,
        key=run.key,
        schedule=run.schedule,
        result=msgspec.Raw(codec.decode(ended.result) if ended.result else b"null"),
    )


class Sink(ABC):
    """A place that outcomes are told to, each at least once: a repeat has the same `run_id`."""

    @abstractmethod
    async def open(self) -> None:
        """Connect. Raises `BrokerError` or `StoreError`, as all of these."""

    @abstractmethod
    async def close(self) -> None:
        """Let go. Idempotent; may be opened again."""

    @abstractmethod
    async def put(self, outcome: Outcome) -> None:
        """Returns when it is there. After an error it may be there or not, and the sink has to be opened anew."""

"""What is routed: halls, and workers' own lanes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from shike.model import Attempt, Live
from shike.store.base import STANDING_COUNTED, Standing
from shike.store.decided import attempts_of, decisions_of
from shike.store.redis import reads
from shike.store.redis.base import HOME, Base
from shike.store.redis.records import number_of
from shike.store.verbs import Move

if TYPE_CHECKING:
    from shike.store.redis.archive import Archive


class Routed:
    """The read side of a store, as far as it is about attempts, decisions and lanes."""

    if TYPE_CHECKING:
        _archive: Archive | None

        async def _ready(self) -> Base: ...

    async def attempts(self, run_id: int) -> list[Attempt]:
        found = await self._written(run_id)
        return await self._archive.attempts(run_id) if found is None else attempts_of(found)  # type: ignore[union-attr]

    async def decisions(self, run_id: int) -> list[Attempt]:
        found = await self._written(run_id)
        return await self._archive.decisions(run_id) if found is None else decisions_of(found)  # type: ignore[union-attr]

    async def _written(self, run_id: int) -> list[Attempt] | None:
        """Attempts and decisions; None: if anybody knows, the archive does."""
        base = await self._ready()
        found = await reads.written(base, run_id)
        if found or self._archive is None or await reads.find(base, run_id) is not None:
            return found
        return None

    async def lanes(self) -> list[Standing]:
        return await lanes(await self._ready())

    async def standing(self, lane: str, limit: int) -> list[Live]:
        return await standing(await self._ready(), lane, limit)

    async def of_band(self, lane: str, band: int, after: int, limit: int) -> list[Live]:
        return await of_band(await self._ready(), lane, band, after, limit)


async def living(base: Base, moves: Sequence[Move]) -> frozenset[str]:
    """Which of the workers of these moves are open. One that is closed just now is refused by each bucket itself."""
    tag, workers = base.tag(HOME), sorted({wanted.worker for wanted in moves if wanted.worker})
    return frozenset([worker for worker in workers if await _is_open(base, tag, worker)])


async def _is_open(base: Base, tag: bytes, worker: str) -> bool:
    state: bytes | None = await base.server.command(tag, b"HGET", tag + b":session:" + worker.encode(), b"state")
    return state == b"open"


async def lanes(base: Base) -> list[Standing]:
    runs: dict[str, int] = {}
    first_at: dict[str, int] = {}
    for lane, count, first in _rows(await base.everywhere(base.every, "routed", ("lanes",))):
        name = lane.decode()
        runs[name] = runs.get(name, 0) + count
        first_at[name] = min(first, first_at.get(name, first))
    return [Standing(name, min(runs[name], STANDING_COUNTED), first_at[name]) for name in sorted(runs)]


async def standing(base: Base, lane: str, limit: int) -> list[Live]:
    rows = _rows(await base.everywhere(base.every, "routed", ("standing", lane, limit)))
    first = sorted((band, run_at, number_of(run_id)) for band, run_at, run_id in rows)[:limit]
    found = await reads.look(base, [run_id for _, _, run_id in first]) if first else []
    return [row for row in found if isinstance(row, Live)]


async def of_band(base: Base, lane: str, band: int, after: int, limit: int) -> list[Live]:
    rows = _rows(await base.everywhere(base.every, "routed", ("band", lane, band, after, limit)))
    first = sorted((run_at, number_of(run_id)) for run_at, run_id in rows)[:limit]
    found = await reads.look(base, [run_id for _, run_id in first]) if first else []
    return [row for row in found if isinstance(row, Live)]


def _rows(parts: Iterable[Sequence[Sequence[Any]]]) -> list[tuple[Any, ...]]:
    return [tuple(row) for part in parts for row in part]

"""Dead letters: what failed for good waits for a person to replay it or to drop it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from shike.client import Client
from shike.errors import Conflict, NotFound
from shike.model import Ended
from shike.operate.facts import RunFacts, run_facts
from shike.operate.runs import replay
from shike.store.base import Store

PAGE = 500
MANY_MAX = 10_000  # replayed or dropped in one call


class Replays(Struct, frozen=True, kw_only=True):
    """What became of a replay: the new run of each dead letter, and those that were replayed before."""

    replayed: dict[str, str]  # dead letter → new run
    before: list[str]


async def listing(store: Store, limit: int, *, task: str = "", before: int = 0) -> list[RunFacts]:
    """Dead letters, newest first; those that were replayed say as which run."""
    now = await store.now()
    return [run_facts(ended, now) for ended in await store.dead(limit, before=before, task=task)]


async def pick(store: Store, run_ids: Sequence[int], *, task: str = "", everything: bool = False) -> list[Ended]:
    """The dead letters of these ids, of one task, or all; oldest first, at most MANY_MAX. Raises `NotFound`."""
    if run_ids:
        return [await _one(store, run_id) for run_id in run_ids]
    if not task and not everything:
        return []
    found: list[Ended] = []
    while len(found) < MANY_MAX:
        page = await store.dead(PAGE, before=found[-1].run.id if found else 0, task=task)
        found += page
        if len(page) < PAGE:
            break
    return found[MANY_MAX - 1 :: -1]


async def _one(store: Store, run_id: int) -> Ended:
    page = await store.dead(1, before=run_id + 1)
    if not page or page[0].run.id != run_id:
        raise NotFound(f"run {run_id} is no dead letter; `shike dead list` shows them")
    return page[0]


async def replay_all(client: Client, letters: Sequence[Ended]) -> Replays:
    """Run each again as a new run, once: one that was replayed before is left alone."""
    replayed: dict[str, str] = {}
    before = []
    for ended in letters:
        try:
            if ended.replayed_as:
                raise Conflict("replayed before")
            replayed[str(ended.run.id)] = str(await replay(client, ended))
        except Conflict:
            before.append(str(ended.run.id))
    return Replays(replayed=replayed, before=before)


async def drop(store: Store, letters: Sequence[Ended]) -> int:
    """Forget dead letters that are dealt with; how many there were. The timetable keeps their last state."""
    return sum(
        [
            await store.drop_dead([ended.run.id for ended in letters[first : first + PAGE]])
            for first in range(0, len(letters), PAGE)
        ]
    )

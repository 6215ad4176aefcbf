"""Dead letters: what failed for good waits for a person to replay it or to drop it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import PurePath

from msgspec import Struct

from shike.attempts import Failure
from shike.client import Client
from shike.errors import Conflict, NotFound
from shike.model import Ended
from shike.operate.facts import RunFacts, instant, last_attempt, run_facts
from shike.operate.runs import replay
from shike.store.base import Store
from shike.track.failures import failure_of_text

PAGE = 500
MANY_MAX = 10_000  # replayed, dropped or grouped in one call
SHOWN_RUNS = 5  # of a group


class Replays(Struct, frozen=True, kw_only=True):
    """What became of a replay: the new run of each dead letter, and those that were replayed before."""

    replayed: dict[str, str]  # dead letter → new run
    before: list[str]


class Group(Struct, frozen=True, kw_only=True):
    """Dead letters of one kind: the same type of failure in the same place, or the same words."""

    fingerprint: str
    count: int
    waiting: int  # not replayed yet
    tasks: tuple[str, ...]
    kind: str  # the type of what was raised; empty where nothing was
    place: str  # the innermost call of the user's own: file, line, function
    reason: str  # of the newest
    first_at: datetime | None
    last_at: datetime | None
    newest: tuple[str, ...]  # ids, at most SHOWN_RUNS


class Groups(Struct, frozen=True, kw_only=True):
    """The largest first. `looked_at` dead letters are in them; `more`: there are others, older ones."""

    groups: list[Group]
    looked_at: int
    more: bool


async def grouped(store: Store, *, task: str = "") -> Groups:
    """The newest MANY_MAX dead letters by fingerprint."""
    letters = await pick(store, (), task=task, everything=True)
    found = [group_of(fingerprint, group) for fingerprint, group in by_fingerprint(reversed(letters)).items()]
    return Groups(
        groups=sorted(found, key=lambda group: (-group.count, group.fingerprint)),
        looked_at=len(letters),
        more=len(letters) == MANY_MAX,
    )


def by_fingerprint(letters: Iterable[Ended]) -> dict[str, list[Ended]]:
    """The dead letters of each kind, in their order."""
    found: dict[str, list[Ended]] = {}
    for ended in letters:
        found.setdefault(fingerprint_of(ended), []).append(ended)
    return found


def fingerprint_of(ended: Ended) -> str:
    """Of its failure; where none was taken apart, of its reason without numbers."""
    return failure_in(ended).fingerprint


def failure_in(ended: Ended) -> Failure:
    """The record of its last failure, or what its reason makes of one."""
    last = last_attempt(ended)
    return (last.failure if last is not None else None) or failure_of_text(ended.reason)


def group_of(fingerprint: str, group: Sequence[Ended]) -> Group:
    """What is told of one kind; its dead letters come newest first."""
    newest, failure = group[0], failure_in(group[0])
    own = [frame for frame in failure.chain[0].frames if frame.own] if failure.chain else []
    return Group(
        fingerprint=fingerprint,
        count=len(group),
        waiting=sum(not ended.replayed_as for ended in group),
        tasks=tuple(sorted({ended.run.task for ended in group})),
        kind=failure.chain[0].kind if failure.chain else "",
        place=f"{PurePath(own[-1].file).name}:{own[-1].line} {own[-1].function}" if own else "",
        reason=newest.reason,
        first_at=instant(min(ended.ended_at for ended in group)),
        last_at=instant(max(ended.ended_at for ended in group)),
        newest=tuple(str(ended.run.id) for ended in group[:SHOWN_RUNS]),
    )


async def listing(store: Store, limit: int, *, task: str = "", before: int = 0) -> list[RunFacts]:
    """Dead letters, newest first; those that were replayed say as which run."""
    now = await store.now()
    return [run_facts(ended, now) for ended in await store.dead(limit, before=before, task=task)]


async def pick(
    store: Store, run_ids: Sequence[int], *, task: str = "", group: str = "", everything: bool = False
) -> list[Ended]:
    """The dead letters of these ids, of one task, of a fingerprint, or all; oldest first, of the newest MANY_MAX.
    Raises `NotFound`."""
    if run_ids:
        return [await _one(store, run_id) for run_id in run_ids]
    if group:
        letters = await pick(store, (), task=task, everything=True)
        if fitting := [ended for ended in letters if fingerprint_of(ended) == group]:
            return fitting
        raise NotFound(f"no dead letter has the fingerprint {group!r}; `shike dead groups` shows them")
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

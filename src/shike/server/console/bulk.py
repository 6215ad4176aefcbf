"""One deed on everything that a search finds: first counted, then done, run by run, each by its own compare-and-set."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from shike.client import Client
from shike.errors import Conflict, NotFound
from shike.model import Ended, Live, State
from shike.operate import runs
from shike.operate.facts import instant
from shike.operate.search import Search, search
from shike.store.base import Store
from shike.store.codec import Codec

BULK_MAX: Final = 1_000  # runs in one deed: seconds of work, and a number that a person can oversee
LOOKS_MAX: Final = 20  # pages of a search that are looked through for them


class Deed(StrEnum):
    """What can be done with many."""

    CANCEL = "cancel"  # take back what waits, ask what runs to stop
    RETRY = "retry"  # run again what failed: a dead, cancelled or skipped one as a new run
    PROMOTE = "promote"  # make what waits for its time eligible now


class Matches(Struct, frozen=True, kw_only=True):
    """The runs that a deed would be done to. `more`: there are further ones, beyond what one deed does."""

    runs: list[Live | Ended]
    more: bool


class Done(Struct, frozen=True, kw_only=True):
    """How many, and how many had changed in between."""

    done: int
    refused: int


def suits(known: Live | Ended, deed: Deed, now: int) -> bool:
    """Whether the deed can be done to such a run."""
    if deed is Deed.CANCEL:
        return isinstance(known, Live)
    if deed is Deed.PROMOTE:
        return isinstance(known, Live) and known.state in (State.SCHEDULED, State.FAILED) and known.run_at > now
    if isinstance(known, Live):
        return known.state is State.FAILED
    return known.state is not State.SUCCESS and not known.replayed_as


async def matches(
    store: Store, wanted: Search, deed: Deed, *, codec: Codec | None, covers: Callable[[str], bool]
) -> Matches:
    """What the search finds and the deed suits, at most BULK_MAX."""
    found: list[Live | Ended] = []
    before = 0
    for _ in range(LOOKS_MAX):
        page = await search(store, wanted, limit=BULK_MAX, before=before, deep=True, codec=codec, covers=covers)
        found += [one for one in page.runs if suits(one, deed, page.now)]
        before = page.before
        if not before or len(found) > BULK_MAX:
            break
    return Matches(runs=found[:BULK_MAX], more=bool(before) or len(found) > BULK_MAX)


async def do(client: Client, found: Matches, deed: Deed, reason: str) -> Done:
    """Do it to each; what changed in between is left alone, and counted."""
    now = await (await client.store()).now()
    done = refused = 0
    for one in found.runs:
        try:
            if deed is Deed.CANCEL:
                await runs.cancel(client, one.run.id, reason)
            elif deed is Deed.RETRY:
                await runs.retry(client, one.run.id)
            else:
                await runs.move(client, one.run.id, at=instant(now))
            done += 1
        except (Conflict, NotFound):
            refused += 1
    return Done(done=done, refused=refused)

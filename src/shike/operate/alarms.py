"""Alarms as operators see them: what is raised, since when, who looks after it; and taking one over."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shike.clock import to_datetime
from shike.errors import BadInput, Conflict, NotFound
from shike.operate.facts import instant
from shike.store.base import Control, Store
from shike.track.alarm import ALARM_KEY, Alarm, Phase, decoded, encoded, key_of

TRIES: Final = 10  # of writing a row that is written by whoever watches, too
BY_CHARS_MAX: Final = 200
ORDER: Final = (Phase.RAISED, Phase.EASED, Phase.WATCHED, Phase.OVER)


class AlarmFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One alarm. `phase`: raised, eased (gone, not yet for good), watched (not yet for long enough), over."""

    id: str
    rule: str
    subject: str
    phase: str
    words: str
    since: datetime
    raised_at: datetime | None = None
    over_at: datetime | None = None
    told_at: datetime | None = None
    acked_at: datetime | None = None
    acked_by: str = ""
    owner: str = ""
    waiting: list[str] = []  # channels that are still to be told
    untold: list[str] = []  # channels that were given up
    saying: str = ""  # the sentence that `words` are, and what is in its blanks: `shike.connect.alarms.sayings`
    about: dict[str, str | int | float] = {}


async def listing(store: Store, *, everything: bool = False) -> list[AlarmFacts]:
    """What is raised, the newest first; with `everything` also what is not yet, and what is over."""
    found = [alarm for _, alarm in await _rows(store, ALARM_KEY)]
    if not everything:
        found = [one for one in found if one.phase in (Phase.RAISED, Phase.EASED)]
    found.sort(key=lambda one: (ORDER.index(one.phase), -max(one.raised_at, one.since), one.id))
    return [_facts(one) for one in found]


async def ack(store: Store, alarm_id: str, *, by: str) -> AlarmFacts:
    """Say that you look after it: no reminders until it is over, which is still told. The beginning of an id will do
    where only one begins so. Raises `NotFound`, `BadInput`, or `Conflict` where it is over or somebody else has it."""
    if not by.strip() or len(by) > BY_CHARS_MAX:
        raise BadInput(f"say who looks after it, in up to {BY_CHARS_MAX} characters")
    for _ in range(TRIES):
        row, alarm = await _one(store, alarm_id)
        if alarm.phase is Phase.OVER:
            raise Conflict(f"alarm {alarm.id} is over: nobody has to look after it")
        if alarm.acked_by == by:
            return _facts(alarm)
        if alarm.acked_by:
            raise Conflict(
                f"{alarm.acked_by} looks after alarm {alarm.id} since {to_datetime(alarm.acked_at):%H:%M} UTC"
            )
        taken = replace(alarm, acked_by=by, acked_at=await store.now())
        try:
            await store.put(row.key, encoded(taken), expect=row.version)
        except Conflict:  # whoever watches wrote it in between
            continue
        return _facts(taken)
    raise Conflict(f"alarm {alarm_id} changes too often; try again")


async def _one(store: Store, alarm_id: str) -> tuple[Control, Alarm]:
    found = await _rows(store, key_of(alarm_id)) if alarm_id.isalnum() else []
    if len(found) > 1:
        raise BadInput(f"{len(found)} alarms begin with {alarm_id}: {', '.join(one.id for _, one in found[:8])}")
    if not found:
        raise NotFound(f"there is no alarm {alarm_id}; `shike alarms list` shows what there is")
    return found[0]


async def _rows(store: Store, prefix: str) -> list[tuple[Control, Alarm]]:
    rows = [(row, decoded(row.value)) for row in await store.controls(prefix)]
    return [(row, alarm) for row, alarm in rows if alarm is not None]


def _facts(alarm: Alarm) -> AlarmFacts:
    return AlarmFacts(
        id=alarm.id,
        rule=alarm.rule,
        subject=alarm.subject,
        phase=alarm.phase.value,
        words=alarm.words,
        since=to_datetime(alarm.since),
        raised_at=instant(alarm.raised_at),
        over_at=instant(alarm.over_at),
        told_at=instant(alarm.told_at),
        acked_at=instant(alarm.acked_at),
        acked_by=alarm.acked_by,
        owner=alarm.owner,
        waiting=[one.channel for one in alarm.owed],
        untold=list(alarm.untold),
        saying=alarm.saying,
        about=alarm.about,
    )

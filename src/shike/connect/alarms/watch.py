"""The watch: one node of all looks every few seconds, keeps the alarms in the store, and has them told.

It runs beside the scheduler as a role of its own, and takes nothing from it: reads that are bounded, a few rows that
are written when something changes, messages with a time-out. What fails here is logged and tried again; no run waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from shike.clock import MICROS
from shike.connect.alarms.base import Channel, Eyes, Finding, Pace, Rule
from shike.connect.alarms.base import found as a_finding
from shike.connect.alarms.bounds import (
    ALARMS_MAX,
    CHANNELS_MAX,
    LOOK_SECONDS,
    RULES_MAX,
    SUBJECTS_MAX,
    TURN_SECONDS,
    UNKNOWN_SECONDS,
)
from shike.connect.alarms.deciding import Case, found, missing
from shike.connect.alarms.sayings import ENGLISH
from shike.connect.alarms.sight import Sight
from shike.connect.alarms.telling import Row, Teller, row_of
from shike.errors import BadInput, Conflict, DuplicateName, StoreError
from shike.outage import Outage
from shike.scheduler.duty import Post
from shike.store.base import Store
from shike.task import Definition
from shike.track.alarm import ALARM_KEY, Alarm, Phase, encoded, key_of

if TYPE_CHECKING:
    from shike.app import Shike

log = logging.getLogger("shike.alarms")

REST = "…"  # the subject of all that is over SUBJECTS_MAX


class Watched(Struct, frozen=True):
    """A rule, who is told, and how soon."""

    rule: Rule
    channels: tuple[str, ...]
    pace: Pace

    @property
    def after_seconds(self) -> float:
        return self.rule.after_seconds if self.pace.after is None else self.pace.after


class Watch:
    """All rules of one app. Every scheduler on a store should declare the same ones: whose turn it is changes."""

    name = "alarms"

    def __init__(self, *, look_seconds: float = LOOK_SECONDS, tasks: Mapping[str, Definition] | None = None) -> None:
        self.look_seconds = look_seconds
        self.language = ENGLISH  # of what channels are told: one of LANGUAGES
        self._tasks = tasks or {}
        self.watched: dict[str, Watched] = {}
        self.channels: dict[str, Channel] = {}
        self._eyes: dict[str, Eyes] = {}
        self._puzzled: set[str] = set()

    def declare(self, rule: Rule, channels: Sequence[Channel], pace: Pace) -> None:
        """Watch for it. Raises `DuplicateName` for the same rule twice, `BadInput` for too many."""
        if rule.name in self.watched:
            raise DuplicateName(f"the alarm {rule.name!r} is declared twice; give both its channels at once")
        for channel in channels:
            if self.channels.setdefault(channel.name, channel) is not channel:
                raise DuplicateName(f"two channels are called {channel.name!r}; give one of them name='…'")
        if len(self.watched) >= RULES_MAX or len(self.channels) > CHANNELS_MAX:
            raise BadInput(f"an app has up to {RULES_MAX} alarms and {CHANNELS_MAX} channels")
        self.watched[rule.name] = Watched(rule, tuple(channel.name for channel in channels), pace)

    async def run(self, post: Post) -> None:
        """The role."""
        outage = Outage(log, "watching for alarms")
        teller = Teller(post.store, self.channels, post.draw, self.language)
        while True:
            pause = TURN_SECONDS
            try:
                if post.is_ours():
                    pause = self.look_seconds
                    await self.look(post.store, teller)
                else:
                    self._eyes.clear()  # what they remember is old when it is our turn again
                outage.over()
            except StoreError as error:
                pause = max(pause, outage.pause(error))
            await asyncio.sleep(pause)

    async def look(self, store: Store, teller: Teller) -> None:
        """Once: look, keep, tell."""
        now = await store.now()
        sight = Sight(store, now, self._tags())
        rows = {row.alarm.id: row for row in map(row_of, await store.controls(ALARM_KEY)) if row is not None}
        kept: list[Row] = []
        for watched in self.watched.values():
            mine = {one.alarm.subject: one for one in rows.values() if one.alarm.rule == watched.rule.name}
            findings = await self._findings(watched, sight)
            kept += await self._keep(store, watched, mine, findings, now, len(rows))
        kept += await self._forget(store, rows.values(), now)
        await teller.tell(kept, now)

    def _tags(self) -> dict[str, frozenset[str]]:
        return {name: frozenset(task.tags) for name, task in self._tasks.items() if task.tags}

    async def _findings(self, watched: Watched, sight: Sight) -> list[Finding] | None:
        """What a rule found; None: it does not know, and what is raised stays so."""
        name = watched.rule.name
        eyes = self._eyes.get(name) or self._eyes.setdefault(name, watched.rule.eyes())
        try:
            found = await eyes.look(sight)
        except StoreError:
            raise
        except Exception:  # a rule of somebody's own
            if name not in self._puzzled:
                self._puzzled.add(name)
                log.exception("the alarm %s cannot be looked for", name)
            return None
        self._puzzled.discard(name)
        return _bounded(found)

    async def _keep(
        self,
        store: Store,
        watched: Watched,
        before: dict[str, Row],
        findings: list[Finding] | None,
        now: int,
        rows: int,
    ) -> list[Row]:
        """Write what has changed."""
        case = Case(
            rule=watched.rule.name,
            after_seconds=watched.after_seconds,
            pace=watched.pace,
            channels=watched.channels,
            now=now,
        )
        kept = []
        by_subject = {one.subject: one for one in findings or ()}
        for subject, finding in by_subject.items():
            row = before.get(subject)
            if row is None and rows >= ALARMS_MAX:
                log.error("%s: %s; there are %d alarms, and no more are kept", case.rule, finding.words, rows)
                continue
            rows += row is None
            kept.append(await _write(store, row, found(row.alarm if row else None, finding, case)))
        for subject, row in before.items():
            if subject not in by_subject:
                after = row.alarm if findings is None else missing(row.alarm, case)
                kept.append(await _write(store, row, after))
        return [row for row in kept if row is not None]

    async def _forget(self, store: Store, rows: Iterable[Row], now: int) -> list[Row]:
        """Of rules that nobody declares here: what they owe is told, and after a while they are dropped."""
        kept = []
        for row in rows:
            alarm = row.alarm
            if alarm.rule in self.watched:
                continue
            last = max(alarm.seen_at, alarm.gone_at, alarm.over_at)
            is_old = now - last >= UNKNOWN_SECONDS * MICROS
            kept.append(await _write(store, row, None if is_old and not alarm.owed else alarm))
        return [row for row in kept if row is not None]


async def _write(store: Store, row: Row | None, after: Alarm | None) -> Row | None:
    """The row as it is now; None: it is gone, or somebody else wrote it and it is looked at again."""
    if row is not None and row.alarm == after:
        return row
    key = row.key if row is not None else key_of(after.id) if after is not None else ""
    try:
        written = await store.put(
            key, encoded(after) if after is not None else None, expect=row.version if row is not None else 0
        )
    except Conflict:
        return None
    if after is not None and (row is None or row.alarm.phase is not after.phase):
        _tell_log(after)
    return Row(key, written.version, after) if written is not None and after is not None else None


def _tell_log(alarm: Alarm) -> None:
    if alarm.phase is Phase.RAISED:
        log.warning("alarm %s, %s: %s", alarm.id, alarm.rule, alarm.words)
    elif alarm.phase is Phase.OVER and alarm.raised_at:
        log.warning("alarm %s is over, %s: %s", alarm.id, alarm.rule, alarm.words)


def _bounded(findings: Sequence[Finding]) -> list[Finding]:
    """The worst SUBJECTS_MAX, and the rest as one."""
    if len(findings) <= SUBJECTS_MAX:
        return list(findings)
    worst = sorted(findings, key=lambda one: -one.count)
    rest = len(worst) - SUBJECTS_MAX
    return [*worst[:SUBJECTS_MAX], a_finding("rest", REST, amount=rest, count=rest)]


def watch_of(app: Shike) -> Watch:
    """The watch of an app: made with its first alarm."""
    for duty in app.duties:
        if isinstance(duty, Watch):
            return duty
    watch = Watch(tasks=app.tasks)
    app.duties.append(watch)
    return watch

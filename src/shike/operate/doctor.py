"""What is wrong, or soon will be: looked for in the store, the clock, the processes and the settings."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from shike import __version__
from shike.clock import MICROS, SystemClock
from shike.counted import counted
from shike.model import PROTOCOL_VERSION, Planned, Session, SessionState
from shike.operate import queues
from shike.operate.unplaced import unplaced
from shike.operate.unserved import unserved
from shike.settings import Loaded
from shike.store.archiving import Archiving
from shike.store.base import RunFilter, Store
from shike.store.opening import without_secrets
from shike.timer.build import build
from shike.trigger import tz_version
from shike.waiting import pauses

CLOCK_SECONDS = 2.0  # the store's clock and ours differ by more: something set one of them
PLAN_LATE_SECONDS = 60.0
ARCHIVE_LATE_SECONDS = 600.0
RECENT_RUNS = 200
LOCKS_SHOWN = 3


class Level(StrEnum):
    """How much a finding matters."""

    FINE = "fine"
    NOTE = "note"  # good to know
    WARN = "warn"  # works, and will hurt
    BAD = "bad"  # does not work, or can lose something


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    level: Level
    what: str
    words: str


async def examine(store: Store, loaded: Loaded) -> list[Finding]:
    """Look at everything; the worst first."""
    now = await store.now()
    sessions = await store.sessions()
    schedules = [planned for planned in await store.schedules() if not planned.deleted]
    findings = [
        *_programs(),
        *_file(store),
        *await _archive(store, now),
        *await _clock(store, now),
        *_sessions(store, sessions),
        *await _work(store, sessions, schedules, now),
        *await _unserved(store, sessions, schedules),
        *_schedules(schedules, now),
        *_settings(loaded, store.url),
    ]
    order = list(Level)
    return sorted(findings, key=lambda finding: -order.index(finding.level))


def _programs() -> list[Finding]:
    versions = f"shike {__version__}, Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    zones = tz_version()
    return [
        _fine("versions", f"{versions}, time zones {zones or 'of an unknown release'}"),
        _fine("timer", build().about()),
        *([] if zones else [_found(Level.NOTE, "time zones", "the tz database does not say its release")]),
    ]


def _server(store: Store) -> list[Finding]:
    """Which server it is, and what that was allowed to lose (P8)."""
    if store.url.startswith("memory:"):
        return [_found(Level.NOTE, "store", f"{store.url} is gone with its process")]
    findings = [_fine("store", f"{without_secrets(store.url)}, {counted(store.virtual_buckets, 'virtual bucket')}")]
    losses: list[str] = getattr(store, "warnings", list)()
    findings += [_found(Level.WARN, "durability", loss) for loss in losses]
    if not losses and store.url.startswith("redis"):
        words = "what was accepted survives a crash of the server; a power loss may take its last two seconds, unless"
        findings.append(_found(Level.NOTE, "durability", f"{words} appendfsync is always (P8)"))
    elif not losses:
        findings.append(_fine("durability", "what was accepted survives a crash of the server and a power loss (P8)"))
    return findings


def _file(store: Store) -> list[Finding]:
    """What only a SQLite file can have wrong."""
    if not store.url.startswith("sqlite:"):
        return _server(store)
    from shike.store.sqlite.database import check
    from shike.store.sqlite.options import Synchronous, parse

    options = parse(store.url)
    wrong = check(options.path)
    size = sum(file.stat().st_size for file in (options.path, _log_of(options.path)) if file.exists())
    buckets = counted(store.virtual_buckets, "virtual bucket")
    findings = [_fine("store", f"{options.path}, {size / 2**20:,.2f} MiB, {buckets}")]
    if wrong:
        findings.append(_found(Level.BAD, "integrity", f"the file is damaged: {'; '.join(wrong[:LOCKS_SHOWN])}"))
    else:
        findings.append(_fine("integrity", "SQLite finds nothing wrong with the file"))
    if options.synchronous is Synchronous.FULL:
        findings.append(_fine("durability", "synchronous=full: what was accepted survives a power loss (P8)"))
    else:
        level = Level.WARN if options.synchronous is Synchronous.OFF else Level.NOTE
        lost = "the whole file" if options.synchronous is Synchronous.OFF else "the last commits"
        findings.append(_found(level, "durability", f"synchronous={options.synchronous}: a power loss may take {lost}"))
    return findings


def _log_of(path: Path) -> Path:
    """What is committed and not yet copied into the file."""
    return path.with_name(f"{path.name}-wal")


async def _archive(store: Store, now: int) -> list[Finding]:
    """Whether the history gets to where it is kept for longer."""
    if not isinstance(store, Archiving) or not store.archives:
        return []
    state = await store.carried()
    findings = []
    waits = f"{counted(state.left, 'record')} of the history"
    if state.left:
        waits += f", the oldest from {(now - state.since) / MICROS:,.0f} s ago,"
    if state.wrong:
        words = f"{state.wrong}. {waits} wait for it; over twice history_runs the oldest are dropped"
        findings.append(_found(Level.BAD, "archive", words))
    elif state.left and now - state.since > ARCHIVE_LATE_SECONDS * MICROS:
        words = f"{waits} wait to be carried to {state.where}: does a scheduler run, and is the archive fast enough?"
        findings.append(_found(Level.WARN, "archive", words))
    else:
        findings.append(_fine("archive", f"the history is carried to {state.where}"))
    if state.lost:
        words = f"{counted(state.lost, 'record')} never got there: they were dropped while it did not answer"
        findings.append(_found(Level.BAD, "archive", words))
    return findings


async def _clock(store: Store, now: int) -> list[Finding]:
    """A clock that was set back leaves runs that ended in the future."""
    apart = (now - SystemClock().wall()) / MICROS
    ended = [getattr(known, "ended_at", 0) for known in await store.runs(RunFilter(limit=RECENT_RUNS))]
    ahead = (max(ended, default=0) - now) / MICROS
    if abs(apart) > CLOCK_SECONDS:
        return [_found(Level.WARN, "clock", f"the store's clock is {apart:+.1f} s off this machine's")]
    if ahead > CLOCK_SECONDS:
        return [_found(Level.WARN, "clock", f"a run ended {ahead:.0f} s in the future: the clock was set back")]
    return [_fine("clock", "store and machine agree; nothing ended in the future")]


def _sessions(store: Store, sessions: list[Session]) -> list[Finding]:
    findings = []
    alive = [one for one in sessions if one.state is SessionState.OPEN and one.expires_at]
    gone = [one for one in alive if store.is_gone(one.id)]
    for session in gone[:LOCKS_SHOWN]:
        words = f"{session.name} ({session.kind}) died; its runs are rescued as soon as a scheduler looks"
        findings.append(_found(Level.WARN, "session", words))
    foreign = [one for one in alive if one.protocol != PROTOCOL_VERSION]
    for session in foreign[:LOCKS_SHOWN]:
        words = f"{session.name} speaks protocol {session.protocol}, this program {PROTOCOL_VERSION}"
        findings.append(_found(Level.WARN, "session", words))
    kinds = ", ".join(f"{one.name} ({one.kind})" for one in alive if one not in gone)
    return [*findings, _fine("processes", kinds or "none is at work")]


async def _work(store: Store, sessions: list[Session], schedules: list[Planned], now: int) -> list[Finding]:
    counts = await store.counts()
    kinds = {one.kind for one in sessions if not store.is_gone(one.id)}
    findings = []
    if counts.eligible and not kinds & {"worker", "all"}:
        findings.append(_found(Level.WARN, "work", f"{_due(counts.eligible)} and no worker is there"))
    if schedules and not kinds & {"node", "all"}:
        words = f"{counted(len(schedules), 'schedule')} and no scheduler: nothing is planned"
        findings.append(_found(Level.WARN, "planning", words))
    if counts.dead:
        words = f"{counted(counts.dead, 'run')} to look at: `shike dead list`"
        findings.append(_found(Level.NOTE, "dead letters", words))
    for queue in await queues.listing(store):
        if queue.paused:
            words = f"{queue.name} is paused: {queue.reason} ({counted(queue.live, 'run')} in it)"
            findings.append(_found(Level.NOTE, "queue", words))
    for one in await pauses.listing(store):
        if one.what.kind != "queue":
            findings.append(_found(Level.NOTE, "pause", f"{one.what} is paused: {one.reason}"))
    words = f"{counts.running:,} running, {counts.eligible:,} eligible, {counts.scheduled:,} scheduled"
    return [*findings, _fine("runs", words)]


async def _unserved(store: Store, sessions: list[Session], schedules: list[Planned]) -> list[Finding]:
    """Workers are there, but none of them for this."""
    found = await unserved(store, [one for one in sessions if not store.is_gone(one.id)], schedules)
    findings = []
    for queue, due in found.queues.items():
        words = f"{queue}: {_due(due)} and no worker serves it; start one with --queues {queue}, or name it in the app"
        findings.append(_found(Level.WARN, "queue", words))
    for task in sorted(found.tasks.keys() | found.schedules.keys()):
        wanted = [_due(found.tasks[task])] if task in found.tasks else []
        wanted += [f"{name} plans it" for name in found.schedules.get(task, [])[:LOCKS_SHOWN]]
        words = f"{task}: {', '.join(wanted)}, and no worker has such a task: a new name, or a worker of old code?"
        findings.append(_found(Level.WARN, "task", words))
    for one in await unplaced(store, SystemClock()):
        words = (
            f"{one.task}: {counted(one.runs, 'run')} of queue {one.queue} wait for a worker that {one.needs}, the first"
        )
        words += f" for {one.waits_seconds:,.0f} s; `shike explain {one.oldest}` tells who has not what"
        findings.append(_found(Level.WARN, "route", words))
    return findings


def _due(count: int) -> str:
    return f"{counted(count, 'run')} {'is' if count == 1 else 'are'} due"


def _schedules(schedules: list[Planned], now: int) -> list[Finding]:
    findings = []
    zones = tz_version()
    for planned in schedules:
        schedule = planned.schedule
        late = (now - planned.plan_at) / MICROS
        if late > PLAN_LATE_SECONDS and not planned.paused:
            findings.append(_found(Level.WARN, "planning", f"{schedule.name} waits for a scheduler since {late:.0f} s"))
        if planned.paused:
            findings.append(_found(Level.NOTE, "schedule", f"{schedule.name} is paused: {planned.reason}"))
    old = [one.schedule for one in schedules if zones and one.schedule.tz_version not in ("", zones)]
    if old:
        words = f"{counted(len(old), 'schedule')} made with time zones {old[0].tz_version}; this machine has {zones}"
        findings.append(_found(Level.NOTE, "time zones", words))
    return findings


def _settings(loaded: Loaded, url: str) -> list[Finding]:
    """Settings that are unsafe by choice are named, so that the choice is seen."""
    settings = loaded.settings
    findings = []
    if settings.allow_commands:
        words = f"commands are allowed ({loaded.origins['allow_commands']}): whoever may submit may start programs"
        findings.append(_found(Level.NOTE, "settings", words))
    findings += _containers(loaded)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        findings.append(_found(Level.NOTE, "settings", "this is root; handlers need not be"))
    if url.startswith("sqlite:") and _is_open(Path(url.removeprefix("sqlite:///").partition("?")[0])):
        findings.append(_found(Level.WARN, "settings", "everybody on this machine may write the store's file"))
    return findings


def _containers(loaded: Loaded) -> list[Finding]:
    engine = loaded.settings.containers
    if not engine:
        return []
    if shutil.which(engine) is None:
        words = (
            f"containers={engine} ({loaded.origins['containers']}), and this machine has no such program: install it,"
        )
        return [_found(Level.BAD, "containers", f"{words} or container tasks fail on its workers")]
    words = f"containers are run by {engine}: whoever may submit to a container task may start what it names"
    return [_found(Level.NOTE, "containers", words)]


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & 0o002)


def _fine(what: str, words: str) -> Finding:
    return Finding(level=Level.FINE, what=what, words=words)


def _found(level: Level, what: str, words: str) -> Finding:
    return Finding(level=level, what=what, words=words)

"""The app that a crontab becomes: a command task and a schedule for each entry."""

from __future__ import annotations

import os
import pwd
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from shike.app import Shike
from shike.bounds import NAME_CHARS_MAX
from shike.call import Task
from shike.crontab import CronEntry, environment
from shike.worker.command import Command

Begin = Callable[[], Awaitable[None]]

GROUP = "crontab"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def app_of(
    entries: Sequence[tuple[str, CronEntry]],
    *,
    store: str,
    namespace: str,
    overlap: str,
    misfire: str,
    retry: int,
    timeout: str | None,
) -> tuple[Shike, Begin]:
    """The app, and what is to be done at its start: entries that are gone are deleted, @reboot ones submitted."""
    app = Shike(store, name=GROUP, namespace=namespace)
    at_boot = []
    for name, entry in entries:
        register = app.task(
            name=f"{GROUP}.{name}",
            executor="command",
            retry=retry,
            timeout=timeout,
            owner=(entry.variables.get("MAILTO") or entry.user)[:NAME_CHARS_MAX],
        )
        task: Task[..., Any] = register(_handler(entry))
        if entry.trigger is None:
            at_boot.append(task)
        else:
            app.schedule(task, entry.trigger, name=name, group=GROUP, overlap=overlap, misfire=misfire)
    stems = {name.partition(":")[0] for name, _ in entries}

    async def begin() -> None:
        await _delete_gone(app, stems)
        await _submit_at_boot(at_boot)

    return app, begin


def _handler(entry: CronEntry) -> Callable[[], Command]:
    def handler() -> Command:
        account = pwd.getpwnam(entry.user) if entry.user else pwd.getpwuid(os.geteuid())
        home = account.pw_dir if Path(account.pw_dir).is_dir() else "/"
        return Command(
            argv=entry.argv,
            env=dict(environment(entry, home, account.pw_name)),
            stdin_text=entry.stdin,
            user=entry.user,
            cwd=home,
        )

    return handler


async def _delete_gone(app: Shike, stems: set[str]) -> None:
    """What a file no longer says is not run any more. Its history stays."""
    store = await app.client.store()
    declared = {schedule.name for schedule in app.schedules}
    for planned in await store.schedules():
        group, _, name = planned.schedule.name.partition("/")
        is_ours = group == GROUP and name.partition(":")[0] in stems
        if is_ours and planned.schedule.name not in declared and not planned.deleted:
            await store.control_schedule(planned.schedule.name, delete=True)


async def _submit_at_boot(tasks: Sequence[Task[..., Any]]) -> None:
    """Once per boot, however often this program starts; where the system tells no boot, once per start."""
    boot = _boot()
    for task in tasks:
        chosen = task.options(key=f"reboot/{boot}/{task.name}", key_ttl="90d") if boot else task
        await chosen.submit()


def _boot() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""

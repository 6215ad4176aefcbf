"""`shike crontab FILE…`: run an existing crontab, each entry a schedule with history and overlap protection."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.up import Serving
from shike.cli.zone import local_zone
from shike.clock import SystemClock, to_datetime
from shike.counted import counted
from shike.crontab import CronEntry, Crontab, names, read
from shike.errors import BadInput, CrontabError
from shike.trigger import DST, Lang


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options(Serving):
    """Options of `shike crontab`."""

    system: Annotated[bool, Parameter(help="The files have a user column, as in cron.d.", negative="")] = False
    list: Annotated[bool, Parameter(help="Show the entries and when they run next, and stop.", negative="")] = False
    dry_run: Annotated[bool, Parameter(help="Only check the files. Exit code 1 if a line is bad.", negative="")] = False
    tz: Annotated[str, Parameter(help="Zone of lines without CRON_TZ; else this machine's.")] = ""
    dst: Annotated[DST, Parameter(help="What happens on the days when the clock is set.")] = DST.VIXIE
    overlap: Annotated[str, Parameter(help="While the run before goes on: skip, queue_one, queue_all, allow …")] = (
        "skip"
    )
    misfire: Annotated[str, Parameter(help="After downtime: skip (as cron), once (as anacron), all.")] = "skip"
    retry: Annotated[int, Parameter(help="Attempts in all.")] = 1
    timeout: Annotated[str, Parameter(help="Stop a command after this time, such as 1h.")] = ""
    slots: Annotated[int | None, Parameter(help="Commands at once.")] = None
    lang: Annotated[Lang, Parameter(help="Of the plain words in --list.")] = "en"


def crontab(*files: Path, options: Options | None = None) -> int:
    """Run the entries of crontab files: user format, or with --system the format of cron.d.

    A folder stands for the files that cron would read in it. Lines that cannot be read are named and left out. Each
    command runs as `SHELL -c line`, which is what a crontab line means; its output is kept with the run, and MAILTO
    owns what fails. @reboot entries run once per boot. Only root may run the entries of other users.
    """
    options = options or Options()
    if not files:
        raise BadInput("which crontab? name one or more files, such as /etc/crontab with --system")
    found = _read_all(files, options)
    for problem in found.problems:
        print(f"shike: {problem}", file=sys.stderr)
    if options.dry_run or options.list:
        _show(found, options)
        return FOUND if found.problems else FINE
    if not found.entries:
        raise BadInput("no entry can be run; nothing was started")
    return _run(found.entries, options)


def _read_all(files: tuple[Path, ...], options: Options) -> Crontab:
    tz = options.tz or local_zone()
    parts = [read(file, system=options.system, tz=tz, dst=options.dst) for file in files]
    problems = [problem for part in parts for problem in part.problems]
    entries = []
    for entry in (entry for part in parts for entry in part.entries):
        problem = "" if options.list or options.dry_run else _cannot_run(entry)
        if problem:
            problems.append(CrontabError(problem, file=entry.file, line=entry.line))
        else:
            entries.append(entry)
    return Crontab(entries=entries, problems=problems)


def _cannot_run(entry: CronEntry) -> str:
    """Why this process cannot run an entry as its user; empty: it can."""
    import pwd

    if not entry.user:
        return ""
    try:
        wanted = pwd.getpwnam(entry.user)
    except KeyError:
        return f"there is no user {entry.user!r} on this machine"
    if wanted.pw_uid != os.geteuid() and os.geteuid() != 0:
        return f"only root can run a command as {entry.user!r}; start shike as root"
    return ""


def _show(found: Crontab, options: Options) -> None:
    now = SystemClock().wall()
    rows = []
    for name, entry in names(found.entries):
        following = entry.trigger.next(now) if entry.trigger else None
        rows.append(
            {
                "file": entry.file,
                "line": entry.line,
                "name": name,
                "when": entry.when,
                "words": entry.trigger.describe(options.lang) if entry.trigger else "once per boot, at the start",
                "next": None if following is None else to_datetime(following),
                "user": entry.user,
                "command": entry.command,
            }
        )
    if options.json:
        problems = [{"file": one.file, "line": one.line, "message": str(one)} for one in found.problems]
        output.as_json({"entries": rows, "problems": problems})
    elif options.list:
        shown = ("line", "when", "next", "user", "command")
        cells = [
            (f"{row['file']}:{row['line']}", row["words"], row["next"], row["user"], row["command"]) for row in rows
        ]
        output.table(shown, cells, empty="no entries")
    else:
        lines = counted(len(found.problems), "line")
        print(f"{counted(len(rows), 'entry', 'entries')} can be read, {lines} cannot")


def _run(entries: list[CronEntry], options: Options) -> int:
    from msgspec.structs import replace

    from shike.cli.crontab_app import app_of
    from shike.cli.serve import Service, serve
    from shike.settings import store_url
    from shike.worker.recycle import Limits

    flags: dict[str, object] = {"lease_seconds": options.lease_seconds, "log_level": options.log_level}
    loaded = options.settings(**flags, slots=options.slots, allow_commands=True, processes=0)
    loaded = replace(loaded, settings=replace(loaded.settings, app="", queues=()))  # they speak of another app
    app, begin = app_of(
        list(names(entries)),
        store=store_url(loaded),
        namespace=loaded.settings.namespace,
        overlap=options.overlap,
        misfire=options.misfire,
        retry=options.retry,
        timeout=options.timeout or None,
    )
    service = Service(
        app,
        loaded,
        scheduler=True,
        worker=True,
        limits=Limits(),
        plain=options.plain or options.json,
        drain=options.drain,
        as_json=options.json,
        begin=begin,
    )
    serve(service)
    return FINE

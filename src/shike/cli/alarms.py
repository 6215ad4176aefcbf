"""`shike alarms`: list, ack, rules, test."""

from __future__ import annotations

import asyncio
import getpass
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.where import ANYWHERE, Where, at_desk, load_app
from shike.errors import BadInput, ShikeError
from shike.operate import alarms

if TYPE_CHECKING:
    from shike.connect.alarms.watch import Watch

app = App(name="alarms", help="List and take over alarms, show their rules, try their channels.")


@app.command(name="list")
def list_(
    *,
    everything: Annotated[bool, Parameter(name="--all", help="Also not raised yet, and over.", negative="")] = False,
    where: Where = ANYWHERE,
) -> int:
    """Alarms that are raised, the newest first. Exit code 1 if nobody looks after one."""
    found = at_desk(where, lambda desk: alarms.listing(desk.store, everything=everything))
    if where.json:
        output.as_json({"alarms": found})
    else:
        rows = [
            (one.id, one.phase, one.rule, one.subject, one.raised_at or one.since, one.acked_by, one.words)
            for one in found
        ]
        output.table(("id", "", "rule", "subject", "since", "with", "what"), rows, empty="no alarm is raised")
    return FOUND if any(one.phase == "raised" and not one.acked_by for one in found) else FINE


@app.command
def ack(
    alarm_id: str,
    /,
    *,
    by: Annotated[str, Parameter(help="Who looks after it; your user name where it is left out.")] = "",
    where: Where = ANYWHERE,
) -> int:
    """Look after an alarm: no reminders until it is over. The beginning of its id will do."""
    found = at_desk(where, lambda desk: alarms.ack(desk.store, alarm_id, by=by or getpass.getuser()))
    if where.json:
        output.as_json(found)
    else:
        print(f"{found.acked_by} looks after alarm {found.id}: {found.words}")
    return FINE


@app.command
def rules(*, where: Where = ANYWHERE) -> int:
    """What schedulers watch for, who is told and how soon: of the app and of the settings."""
    watch = _watch(where)
    found = [
        {
            "rule": one.rule.name,
            "channels": list(one.channels),
            "after_seconds": one.after_seconds,
            "repeat_seconds": one.pace.repeat,
        }
        for one in watch.watched.values()
    ]
    if where.json:
        output.as_json({"rules": found})
    else:
        rows = [
            (one.rule.name, ", ".join(one.channels) or "the log", f"{one.after_seconds:g}", f"{one.pace.repeat:g}")
            for one in watch.watched.values()
        ]
        output.table(("rule", "told", "after s", "again each s"), rows, empty="nothing is watched for")
    return FINE


@app.command
def test(*channels: str, where: Where = ANYWHERE) -> int:
    """Send a message that says it is a test, by the channels of these names, or by all. Exit code 1 if one fails."""
    watch = _watch(where)
    if unknown := [name for name in channels if name not in watch.channels]:
        raise BadInput(f"no channel is called {unknown[0]!r}; there are: {', '.join(watch.channels) or 'none at all'}")
    said = asyncio.run(_send(watch, channels or tuple(watch.channels)))
    if where.json:
        output.as_json({"channels": said})
    else:
        output.table(("channel", ""), list(said.items()), empty="there is no channel")
    return FINE if all(words == "told" for words in said.values()) else FOUND


def _watch(where: Where) -> Watch:
    from shike.connect.alarms.declaring import declare

    loaded = where.settings()
    if not loaded.settings.app:
        from shike.app import Shike

        return declare(Shike("memory://"), loaded.settings)
    return declare(load_app(loaded), loaded.settings)


async def _send(watch: Watch, names: tuple[str, ...]) -> dict[str, str]:
    from shike.connect.alarms.trying import letter

    said = {}
    for name in names:
        try:
            await watch.channels[name].send(letter(language=watch.language))
            said[name] = "told"
        except ShikeError as error:
            said[name] = str(error)
    return said

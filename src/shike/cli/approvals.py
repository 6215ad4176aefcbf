"""`shike approvals`: list, show, approve, refuse."""

from __future__ import annotations

import getpass
from typing import Annotated

from cyclopts import App, Parameter

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.where import ANYWHERE, Where, at_desk
from shike.operate import approvals
from shike.operate.runs import run_id_of

app = App(name="approvals", help="List and show what waits for a person's approval; approve or refuse it.")

Digest = Annotated[str, Parameter(help="Of what you looked at, as `show` tells it.")]
By = Annotated[str, Parameter(help="Who decides; your user name where it is left out.")]


@app.command(name="list")
def list_(*, where: Where = ANYWHERE) -> int:
    """Runs that wait for approval, newest first. Exit code 1 if there are any."""
    found = at_desk(where, lambda desk: approvals.requests(desk.client))
    if where.json:
        output.as_json({"approvals": found})
    else:
        rows = [(one.run, one.task, one.arguments, one.expires_at, one.digest) for one in found]
        output.table(("run", "task", "arguments", "expires", "digest"), rows, empty="nothing waits for approval")
    return FOUND if found else FINE


@app.command
def show(run_id: str, /, *, where: Where = ANYWHERE) -> int:
    """What one run would do, until when it can be approved, and the digest that an approval has to name."""
    number = run_id_of(run_id)
    found = at_desk(where, lambda desk: approvals.request(desk.client, number))
    if where.json:
        output.as_json(found)
    else:
        output.facts(
            [
                ("run", found.run),
                ("graph", found.graph),
                ("task", found.task),
                ("arguments", found.arguments),
                ("expires", found.expires_at),
                ("digest", found.digest),
            ]
        )
    return FINE


@app.command
def approve(run_id: str, /, *, digest: Digest, by: By = "", where: Where = ANYWHERE) -> int:
    """Let a run begin: once, in time, and only if it is still what you looked at."""
    number, who = run_id_of(run_id), by or getpass.getuser()
    at_desk(where, lambda desk: approvals.approve(desk.client, number, digest, by=who))
    return _say(where, run_id, "approved", who)


@app.command
def refuse(run_id: str, /, *, digest: Digest, by: By = "", where: Where = ANYWHERE) -> int:
    """Say no: the run is cancelled, and what depends on it goes as its graph says."""
    number, who = run_id_of(run_id), by or getpass.getuser()
    at_desk(where, lambda desk: approvals.refuse(desk.client, number, digest, by=who))
    return _say(where, run_id, "refused", who)


def _say(where: Where, run_id: str, what: str, who: str) -> int:
    if where.json:
        output.as_json({"run": run_id, "decision": what, "by": who})
    else:
        print(f"run {run_id} {what} by {who}")
    return FINE

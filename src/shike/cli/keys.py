"""`shike keys`: make, list, rotate and revoke the access keys of the REST API."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from shike.cli import output
from shike.cli.root import FINE
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.clock import MICROS
from shike.errors import BadInput
from shike.server.keys import Keys, NewKey
from shike.server.roles import Role
from shike.task import member
from shike.trigger.duration import parse_duration

app = App(name="keys", help="Make, list, rotate and revoke access keys.")


def _keys(desk: Desk) -> Keys:
    return Keys(desk.store, desk.client.runtime.clock, desk.client.runtime.entropy)


@app.command
def create(
    name: str,
    /,
    *,
    role: Annotated[str, Parameter(help="viewer, operator, editor, admin, worker or scheduler.")],
    queues: Annotated[tuple[str, ...], Parameter(name="--queue", help="Only for this queue; may be repeated.")] = (),
    days: Annotated[float, Parameter(help="Valid for so long; 0: until it is revoked.")] = 0.0,
    where: Where = ANYWHERE,
) -> int:
    """Make an access key. It is shown this once: the store keeps only its hash."""
    chosen = member(Role, role)

    async def work(desk: Desk) -> NewKey:
        return await _keys(desk).make(name, chosen, queues=queues, days=days, by="command line")

    return _show(where, at_desk(where, work, makes=True))  # there may be no server before there is a key


@app.command(name="list")
def list_(*, where: Where = ANYWHERE) -> int:
    """All access keys, without their secrets."""
    found = at_desk(where, lambda desk: _keys(desk).listing())
    if where.json:
        output.as_json({"keys": found})
        return FINE
    rows = [
        (one.id, one.name, one.role, ", ".join(one.queues) or "all", one.created_at, one.expires_at, one.revoked_at)
        for one in found
    ]
    heads = ("id", "name", "role", "queues", "made", "expires", "revoked")
    output.table(heads, rows, empty="no access keys; `shike keys create` makes one")
    return FINE


@app.command
def rotate(
    key_id: str,
    /,
    *,
    grace: Annotated[str, Parameter(help="How long the old secret works beside the new one.")] = "24h",
    where: Where = ANYWHERE,
) -> int:
    """Give a key a new secret."""
    seconds = parse_duration(grace) / MICROS
    if seconds < 0:
        raise BadInput("--grace cannot be negative")
    return _show(where, at_desk(where, lambda desk: _keys(desk).rotate(key_id, grace_seconds=seconds)))


@app.command
def revoke(key_id: str, /, *, where: Where = ANYWHERE) -> int:
    """Let nobody in with this key any more."""
    found = at_desk(where, lambda desk: _keys(desk).revoke(key_id))
    if where.json:
        output.as_json(found)
    else:
        print(f"key {found.id} ({found.name}) is revoked")
    return FINE


def _show(where: Where, new: NewKey) -> int:
    if where.json:
        output.as_json(new)
    else:
        print(f"{new.key}\nkey {new.facts.id} of {new.facts.name} ({new.facts.role}), shown this once")
    return FINE

"""Access keys: who may what, until when; made and rotated here, shown once, and revoked."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from shike.bounds import NAME_CHARS_MAX
from shike.errors import BadField, BadInput
from shike.server import reading
from shike.server.ask import Ask, Nothing, Reply
from shike.server.bounds import ROTATION_SECONDS
from shike.server.console.page import Page, done, shown
from shike.server.console.render import show, told, words_of
from shike.server.keys import DAYS_MAX, KeyFacts, NewKey
from shike.server.roles import Role
from shike.server.routes import Rule

PAGE = Page(name="access", path="/access", place=110, letter="k", role=Role.ADMIN, is_whole=True)
ONE: Final = "/access/{key}"
HOURS_MAX: Final = 30 * 24
Text = Annotated[str, Meta(max_length=200)]


class NewForm(Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made. `queues`: words with commas; none: all."""

    name: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""
    role: Role = Role.VIEWER
    queues: Annotated[str, Meta(max_length=2_000)] = ""
    days: Text = ""


class Rotation(Struct, frozen=True, forbid_unknown_fields=True):
    """How long the old secret works beside the new one."""

    hours: Text = ""


async def page(ask: Ask[None, Nothing]) -> Reply:
    """All, those that let in first."""
    now = await ask.desk.store.now()
    keys = sorted(await ask.desk.keys.listing(), key=lambda one: (one.revoked_at is not None, one.name))
    return show(ask, "access.html", page="access", keys=keys, is_void=lambda one: _is_void(one, now))


def _is_void(one: KeyFacts, now: int) -> bool:
    return one.revoked_at is not None or (one.expires_at is not None and one.expires_at.timestamp() * 1e6 <= now)


async def ask_new(ask: Ask[None, Nothing]) -> Reply:
    """The dialog."""
    return show(ask, "access_new.html", page="access", roles=list(Role))


async def make(ask: Ask[NewForm, Nothing]) -> Reply:
    """A new one, shown this once."""
    form = ask.body
    queues = [word for word in form.queues.replace(",", " ").split() if word]
    days = _number(form.days, "days", DAYS_MAX) if form.days else 0.0
    try:
        new = await ask.desk.keys.make(form.name, form.role, queues=queues, days=days, by=ask.who.id)
    except BadInput as error:
        raise reading.named(error, "queues" if "queue" in str(error) else "name") from None
    return _shown_once(ask, new)


async def ask_rotate(ask: Ask[None, Nothing]) -> Reply:
    """The dialog."""
    hours = round(ROTATION_SECONDS / 3_600)
    return show(ask, "access_rotate.html", page="access", key=ask.path["key"], hours=hours)


async def rotate(ask: Ask[Rotation, Nothing]) -> Reply:
    """A new secret, shown this once."""
    hours = _number(ask.body.hours, "hours", HOURS_MAX) if ask.body.hours else 0.0
    return _shown_once(ask, await ask.desk.keys.rotate(ask.path["key"], grace_seconds=hours * 3_600))


def _shown_once(ask: Ask[NewForm, Nothing] | Ask[Rotation, Nothing], new: NewKey) -> Reply:
    ask.after = new.facts
    return show(ask, "access_key.html", page="access", new=new)


async def ask_revoke(ask: Ask[None, Nothing]) -> Reply:
    """The dialog."""
    name = next((one.name for one in await ask.desk.keys.listing() if one.id == ask.path["key"]), ask.path["key"])
    is_mine = ask.path["key"] == ask.who.id
    return show(ask, "access_revoke.html", page="access", key=ask.path["key"], name=name, is_mine=is_mine)


async def revoke(ask: Ask[Nothing, Nothing]) -> Reply:
    """It lets nobody in any more."""
    facts = await ask.desk.keys.revoke(ask.path["key"])
    ask.after = facts
    return told(ask, words_of(ask, "access.revoked", name=facts.name), to="/access")


def _number(text: str, field: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        raise BadField(f"a number from 0 to {most:,.0f}", field=field)
    return number


ROUTES = (
    shown("/access", page, rule=Rule.WHOLE, role=Role.ADMIN, words="Access keys, without their secrets."),
    shown("/access/new", ask_new, rule=Rule.WHOLE, role=Role.ADMIN, words="For whom a key is to be."),
    done("/access/new", make, body=NewForm, rule=Rule.WHOLE, role=Role.ADMIN, words="Make a key; it is shown once."),
    shown(f"{ONE}/rotate", ask_rotate, rule=Rule.WHOLE, role=Role.ADMIN, words="How long the old secret still works."),
    done(f"{ONE}/rotate", rotate, body=Rotation, rule=Rule.WHOLE, role=Role.ADMIN, words="Give a key a new secret."),
    shown(f"{ONE}/revoke", ask_revoke, rule=Rule.WHOLE, role=Role.ADMIN, words="Whether a key is to be revoked."),
    done(f"{ONE}/revoke", revoke, rule=Rule.WHOLE, role=Role.ADMIN, words="Revoke a key."),
)

"""Dead letters and failures: by fingerprint, replayed one by one, all of a kind, or edited."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from shike.errors import BadField, NotFound
from shike.model import Ended
from shike.operate import dead
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console.failures import kind_of, kinds
from shike.server.console.page import Page, done, shown
from shike.server.console.render import show, told, words_of
from shike.server.console.rows import rows_of

PAGE = Page(name="failures", path="/failures", place=80, letter="f")
LETTERS_MAX: Final = 2_000  # the newest dead letters that are looked at
SHOWN: Final = 100  # of one kind
SHARED_SECONDS: Final = 2.0
DEEDS: Final = ("replay", "drop")


class Chosen(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done with the dead letters of one kind."""

    deed: Annotated[str, Meta(pattern="^(replay|drop)$")]


class Confirmed(Struct, frozen=True, forbid_unknown_fields=True):
    """The deed itself. `expected`: how many the preview counted."""

    deed: Annotated[str, Meta(pattern="^(replay|drop)$")]
    expected: Annotated[int, Meta(ge=0, le=LETTERS_MAX)]


async def page(ask: Ask[None, Nothing]) -> Reply:
    """All kinds."""
    letters = await _letters(ask)
    found = kinds(letters, await ask.desk.store.now())
    template = "failures_table.html" if ask.visit.is_part else "failures.html"
    waiting = sum(one.group.waiting for one in found)
    most = max((max(one.hours) for one in found), default=1)
    return show(
        ask, template, page="failures", kinds=found, waiting=waiting, count=len(letters), most=max(most, 1),
        more=len(letters) == LETTERS_MAX,
    )  # fmt: skip


async def one_kind(ask: Ask[None, Nothing]) -> Reply:
    """The dead letters of one kind."""
    members, now = await _members(ask), await ask.desk.store.now()
    kind = kind_of(ask.path["fingerprint"], members, now)
    rows = rows_of(members[:SHOWN], now)
    replayed = {str(one.run.id): str(one.replayed_as) for one in members if one.replayed_as}
    return show(
        ask, "failures_kind.html", page="failures", one=kind, group=kind.group, rows=rows, replayed=replayed,
        most=max(kind.hours),
    )  # fmt: skip


async def ask_deed(ask: Ask[None, Chosen]) -> Reply:
    """The dialog: how many it would be."""
    members = await _members(ask)
    group = dead.group_of(ask.path["fingerprint"], members)
    count = group.waiting if ask.query.deed == "replay" else group.count
    return show(ask, "failures_deed.html", group=group, deed=ask.query.deed, count=count)


async def do_deed(ask: Ask[Confirmed, Nothing]) -> Reply:
    """Replay or drop all of one kind, if they are not more than were counted."""
    body, members = ask.body, await _members(ask)
    letters = [one for one in members if body.deed == "drop" or not one.replayed_as]
    ask.before = {"fingerprint": ask.path["fingerprint"], "deed": body.deed, "expected": body.expected}
    if len(letters) > body.expected:
        words = words_of(ask, "failures.more_now", count=len(letters), expected=body.expected)
        raise BadField(words, field="expected")
    if body.deed == "drop":
        count = await dead.drop(ask.desk.store, letters)
        ask.desk.live.forget()
        ask.after = {"dropped": count}
        return told(ask, words_of(ask, "failures.dropped", count=count), to="/failures")
    replays = await dead.replay_all(ask.desk.client, letters)
    ask.after = replays
    ask.desk.live.forget()
    return told(ask, words_of(ask, "failures.replayed", count=len(replays.replayed)), to="/failures")


async def _letters(ask: Ask[Any, Any]) -> list[Ended]:
    async def read() -> list[Ended]:
        return await ask.desk.store.dead(LETTERS_MAX)

    key = ("failures", ask.desk.live.told("changes"))
    found: list[Ended] = await ask.desk.live.shared(key, SHARED_SECONDS, read)
    return [one for one in found if ask.who.covers(one.run.queue)]


async def _members(ask: Ask[Any, Any]) -> list[Ended]:
    """Of the kind in the path; read anew, since something is done with them. Raises `NotFound`."""
    letters = [one for one in await ask.desk.store.dead(LETTERS_MAX) if ask.who.covers(one.run.queue)]
    members = [one for one in letters if dead.fingerprint_of(one) == ask.path["fingerprint"]]
    if not members:
        raise NotFound("no dead letter is of this kind any more")
    return members


KIND: Final = "/failures/{fingerprint}"
ROUTES = (
    shown("/failures", page, words="Dead letters by fingerprint."),
    shown(KIND, one_kind, words="The dead letters of one kind."),
    shown(f"{KIND}/deed", ask_deed, query=Chosen, words="How many would be replayed or dropped."),
    done(f"{KIND}/deed", do_deed, body=Confirmed, words="Replay or drop all dead letters of one kind."),
)

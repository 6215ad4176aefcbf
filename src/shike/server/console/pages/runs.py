"""Runs: searched by qualifiers with completion, followed live, dealt with in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct

from shike.errors import BadField, BadInput
from shike.lanes import queue_of
from shike.operate import search as searching
from shike.operate.search import QUALIFIERS, STATES, Found, Search
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console import bulk
from shike.server.console.bulk import Deed
from shike.server.console.live import Topic
from shike.server.console.page import Page, done, shown
from shike.server.console.render import show, told, words_of
from shike.server.console.rows import rows_of
from shike.server.paging import place_of
from shike.server.routes import Rule

if TYPE_CHECKING:
    from shike.server.desk import Desk

PAGE = Page(name="runs", path="/runs", place=20, letter="r")
ROWS: Final = 50
OPTIONS_MAX: Final = 12
NAMES_SECONDS: Final = 10.0
SHARED_SECONDS: Final = 1.0  # two hundred who follow the same search cost one search a second
TIMES: Final = ("15m", "1h", "6h", "24h", "7d")
SEARCH_CHARS_MAX: Final = 1_000


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """A search, and where to go on."""

    q: Annotated[str, Meta(max_length=SEARCH_CHARS_MAX)] = ""
    before: Annotated[str, Meta(max_length=20)] = ""
    deep: bool = False  # through the whole history, however long that takes


class Word(Struct, frozen=True, forbid_unknown_fields=True):
    """What is being typed."""

    word: Annotated[str, Meta(max_length=SEARCH_CHARS_MAX)] = ""


class BulkWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """A deed on everything that a search finds."""

    deed: Deed
    q: Annotated[str, Meta(max_length=SEARCH_CHARS_MAX)] = ""


class Bulk(Struct, frozen=True, forbid_unknown_fields=True):
    """The deed itself. `expected`: how many the preview counted."""

    deed: Deed
    expected: Annotated[int, Meta(ge=0, le=bulk.BULK_MAX)]
    q: Annotated[str, Meta(max_length=SEARCH_CHARS_MAX)] = ""
    reason: Annotated[str, Meta(max_length=1_000)] = ""


async def page(ask: Ask[None, Wanted]) -> Reply:
    """The page; asked for by itself only its table."""
    wanted = await _read(ask, ask.query.q)
    found = await _found(ask, wanted, place_of(ask.query.before), deep=ask.query.deep)
    template = "runs_table.html" if ask.visit.is_part else "runs.html"
    rows = rows_of(found.runs, found.now)
    address = f"/runs?q={quote(ask.query.q)}" + ("&deep=true" if ask.query.deep else "")
    return show(ask, template, page="runs", q=ask.query.q, deep=ask.query.deep, rows=rows, found=found, address=address)


async def _read(ask: Ask[Any, Any], text: str) -> Search:
    try:
        wanted = searching.parse(text, await ask.desk.store.now())
    except BadInput as error:
        raise BadField(str(error), field="q") from None
    return searching.named(wanted, (await _known_names(ask))["task"]) if wanted.words else wanted


async def _found(ask: Ask[Any, Any], wanted: Search, before: int, *, deep: bool) -> Found:
    async def look() -> Found:
        return await searching.search(
            ask.desk.store, wanted, limit=ROWS, before=before, deep=deep, codec=ask.desk.codec, covers=ask.who.covers
        )

    key = ("runs", wanted.text, before, deep, ask.who.queues, ask.desk.live.told("changes"))
    found: Found = await ask.desk.live.shared(key, SHARED_SECONDS, look)
    return found


# ---------------------------------------------------------------- completion


async def complete(ask: Ask[None, Word]) -> Reply:
    """What the word that is being typed may become."""
    name, sign, value = ask.query.word.partition(":")
    if not sign:
        found = [(f"{one}:", words_of(ask, f"runs.q_{one}")) for one in QUALIFIERS if one.startswith(name)]
        if "args.".startswith(name[:5]):
            found.append(("args.", words_of(ask, "runs.q_args")))
    else:
        found = [(f"{name}:{one}", words) for one, words in await _values(ask, name) if value.lower() in one.lower()]
    options = [{"value": one, "words": words} for one, words in found[:OPTIONS_MAX]]
    return Reply(value={"options": options})


async def _values(ask: Ask[Any, Any], name: str) -> list[tuple[str, str]]:
    if name == "state":
        return [(word, words_of(ask, f"base.state_{state.name}")) for word, state in STATES.items()]
    if name in ("since", "until"):
        return [(one, "") for one in TIMES]
    if name == "late":
        return [(one, "") for one in ("1s", "10s", "1m", "10m", "1h")]
    return [(one, "") for one in (await _known_names(ask)).get(name, [])]


async def _known_names(ask: Ask[Any, Any]) -> dict[str, list[str]]:
    key = ("runs.names", ask.who.queues)
    found: dict[str, list[str]] = await ask.desk.live.shared(key, NAMES_SECONDS, lambda: _names(ask.desk, ask))
    return found


async def _names(desk: Desk, ask: Ask[Any, Any]) -> dict[str, list[str]]:
    """What can be named: of the app, of the schedules, of the live workers."""
    planned = [one.schedule for one in await desk.store.schedules() if not one.deleted]
    mine = [one for one in planned if ask.who.covers(one.queue)]
    app = desk.app
    tasks = {one.task for one in mine}
    queues = {queue_of(one.queue) for one in mine}
    if app is not None:
        tasks |= {name for name in app.tasks if not ask.who.queues or name in tasks}
        queues |= {queue for queue in app.queues if ask.who.covers(queue)}
    workers = {one.name for one in await desk.store.sessions() if one.kind in ("worker", "all")}
    return {
        "task": sorted(tasks),
        "queue": sorted(queues),
        "schedule": [one.name.removeprefix("default/") for one in mine],
        "worker": sorted(workers),
    }


# ---------------------------------------------------------------- many at once


async def ask_bulk(ask: Ask[None, BulkWanted]) -> Reply:
    """The dialog: how many it would be."""
    found = await _matches(ask, ask.query.q, ask.query.deed)
    return show(
        ask, "runs_bulk.html", page="runs", deed=ask.query.deed.value, q=ask.query.q, count=len(found.runs),
        more=found.more, rows=rows_of(found.runs[:5], await ask.desk.store.now()),
    )  # fmt: skip


async def do_bulk(ask: Ask[Bulk, Nothing]) -> Reply:
    """Do it, if it is still about as many as were shown."""
    body = ask.body
    found = await _matches(ask, body.q, body.deed)
    ask.before = {"search": body.q, "deed": body.deed.value, "expected": body.expected}
    if len(found.runs) > body.expected:
        raise BadField(words_of(ask, "runs.more_now", count=len(found.runs), expected=body.expected), field="expected")
    outcome = await bulk.do(ask.desk.client, found, body.deed, body.reason)
    ask.after = msgspec.structs.asdict(outcome) | {"runs": [str(one.run.id) for one in found.runs[:50]]}
    words = words_of(ask, f"runs.done_{body.deed.value}", count=outcome.done)
    return told(ask, words + (f" {words_of(ask, 'runs.refused', count=outcome.refused)}" if outcome.refused else ""))


async def _matches(ask: Ask[Any, Any], q: str, deed: Deed) -> bulk.Matches:
    wanted = await _read(ask, q)
    return await bulk.matches(ask.desk.store, wanted, deed, codec=ask.desk.codec, covers=ask.who.covers)


# ---------------------------------------------------------------- live


async def _changes(desk: Desk) -> dict[str, int]:
    """Grows with each commit that somebody may want to see; at most once a period."""
    counter = desk.live.kept.get("changes")
    if counter is None:
        counter = desk.live.kept["changes"] = {"changes": 0}

        def heard(hint: object) -> None:
            counter["changes"] += 1

        desk.store.listen(heard)
    return dict(counter)


TOPICS = (Topic(name="changes", seconds=1.0, read=_changes, is_whole=False),)
ROUTES = (
    shown("/runs", page, query=Wanted, words="Runs: a search, newest first."),
    shown("/runs/complete", complete, query=Word, words="What a word of a search may become."),
    shown("/runs/bulk", ask_bulk, query=BulkWanted, words="How many runs a deed would be done to."),
    done("/runs/bulk", do_bulk, body=Bulk, words="Do it to everything that the search finds.", rule=Rule.QUEUE),
)

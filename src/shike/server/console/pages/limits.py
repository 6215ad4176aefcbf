"""Limits as they hold now, who has them and who waits; and the list of strikes (who may not begin)."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from shike.bounds import NAME_CHARS_MAX
from shike.clock import to_datetime
from shike.errors import BadInput, BadPredicate, BadTime
from shike.limit.strikes import Deed
from shike.operate import limits, strikes
from shike.server import reading
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console.page import Page, done, shown
from shike.server.console.pages.schedules import utc
from shike.server.console.render import show, told, words_of
from shike.server.routes import Rule

PAGE = Page(name="limits", path="/limits", place=100, letter="m", is_whole=True)
STRIKE: Final = "/limits/strikes/{strike}"
SHARED_SECONDS: Final = 2.0


class OfTask(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose keys."""

    task: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""


class NewStrike(Struct, frozen=True, forbid_unknown_fields=True):
    """What is not to begin, why, and until when (UTC)."""

    predicate: Annotated[str, Meta(max_length=2_000)] = ""
    reason: Annotated[str, Meta(max_length=1_000)] = ""
    deed: Deed = Deed.HOLD
    until: Annotated[str, Meta(max_length=40)] = ""


async def page(ask: Ask[None, Nothing]) -> Reply:
    """All limits, and all strikes."""
    store = ask.desk.store
    rows = await ask.desk.live.shared("limits", SHARED_SECONDS, lambda: limits.listing(store))
    struck = [(one, to_datetime(one.at), to_datetime(one.until) if one.until else None)
              for one in await strikes.listing(store)]  # fmt: skip
    return show(ask, "limits.html", page="limits", rows=rows, strikes=struck)


async def keys(ask: Ask[None, OfTask]) -> Reply:
    """The keys of a task's limits that are in use: how much is taken, by whom, who waits and why."""
    found = await limits.keys(ask.desk.store, ask.query.task)
    return show(ask, "limits_keys.html", page="limits", task=ask.query.task, keys=found)


async def ask_strike(ask: Ask[None, Nothing]) -> Reply:
    """The dialog."""
    return show(ask, "limits_strike.html", page="limits", deeds=list(Deed))


async def strike(ask: Ask[NewStrike, Nothing]) -> Reply:
    """Keep runs from beginning."""
    body = ask.body
    ask.after = body
    until = utc(body.until, "until") if body.until else None
    try:
        await strikes.add(ask.desk.store, body.predicate, body.reason, deed=body.deed, who=ask.who.name, until=until)
    except BadPredicate as error:
        raise reading.named(error, "predicate") from None
    except BadTime as error:
        raise reading.named(error, "until") from None
    except BadInput as error:
        raise reading.named(error, "reason") from None
    return told(ask, words_of(ask, "limits.struck"), to="/limits")


async def lift(ask: Ask[Nothing, Nothing]) -> Reply:
    """Take a strike from the list."""
    ask.before = await strikes.remove(ask.desk.store, ask.path["strike"])
    return told(ask, words_of(ask, "limits.lifted"), to="/limits")


ROUTES = (
    shown("/limits", page, rule=Rule.WHOLE, words="Limits as they hold now, and the list of strikes."),
    shown("/limits/keys", keys, query=OfTask, rule=Rule.WHOLE, words="Who has a limit, who waits for it, and why."),
    shown("/limits/strikes", ask_strike, rule=Rule.WHOLE, words="What is not to begin."),
    done("/limits/strikes", strike, body=NewStrike, rule=Rule.WHOLE, words="Keep runs from beginning."),
    done(f"{STRIKE}/lift", lift, rule=Rule.WHOLE, words="Take a strike from the list."),
)

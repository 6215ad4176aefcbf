"""Limits as they hold now, who has them and who waits, and changing them; the list of strikes (who may not begin)."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from shike.bounds import NAME_CHARS_MAX
from shike.clock import to_datetime
from shike.errors import BadField, BadInput
from shike.limit import shown as limits
from shike.limit import striking as strikes
from shike.limit.bounds import NAME_CHARS_MAX as LIMIT_CHARS_MAX
from shike.limit.strikes import Deed
from shike.server import reading
from shike.server.ask import Ask, Nothing, Reply
from shike.server.console.page import Page, done, shown
from shike.server.console.pages.schedules import utc
from shike.server.console.render import show, told, words_of
from shike.server.limits import add
from shike.server.routes import Rule

PAGE = Page(name="limits", path="/limits", place=100, letter="m", is_whole=True)
STRIKE: Final = "/limits/strikes/{strike}"


class OfTask(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose keys."""

    task: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""


class OneLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """Which one."""

    task: Annotated[str, Meta(max_length=NAME_CHARS_MAX)]
    limit: Annotated[str, Meta(max_length=LIMIT_CHARS_MAX)]


class NewNumbers(Struct, frozen=True, forbid_unknown_fields=True):
    """Its numbers, as text, one to a line; and the version that was looked at."""

    task: Annotated[str, Meta(max_length=NAME_CHARS_MAX)]
    limit: Annotated[str, Meta(max_length=LIMIT_CHARS_MAX)]
    numbers: Annotated[str, Meta(max_length=50_000)]
    version: int


class NewStrike(Struct, frozen=True, forbid_unknown_fields=True):
    """What is not to begin, why, and until when (UTC)."""

    predicate: Annotated[str, Meta(max_length=2_000)] = ""
    reason: Annotated[str, Meta(max_length=1_000)] = ""
    deed: Deed = Deed.HOLD
    until: Annotated[str, Meta(max_length=40)] = ""


async def page(ask: Ask[None, Nothing]) -> Reply:
    """All limits, and all strikes."""
    store = ask.desk.store
    rows = await limits.listing(store)  # anew: who changed one looks at what came of it
    struck = [(one, to_datetime(one.at), to_datetime(one.until) if one.until else None)
              for one in await strikes.listing(store)]  # fmt: skip
    return show(ask, "limits.html", page="limits", rows=rows, strikes=struck)


async def keys(ask: Ask[None, OfTask]) -> Reply:
    """The keys of a task's limits that are in use: how much is taken, by whom, who waits and why."""
    found = await limits.keys(ask.desk.store, ask.query.task)
    return show(ask, "limits_keys.html", page="limits", task=ask.query.task, keys=found)


async def ask_change(ask: Ask[None, OneLimit]) -> Reply:
    """The dialog: the numbers as they hold now, one to a line."""
    found = await limits.find(ask.desk.store, ask.query.task, ask.query.limit)
    numbers = "\n".join(f"{name}={_written(value)}" for name, value in found.numbers.items())
    return show(ask, "limits_change.html", page="limits", one=found, numbers=numbers)


async def change(ask: Ask[NewNumbers, Nothing]) -> Reply:
    """Other numbers, if nobody else changed them since they were looked at."""
    body, store = ask.body, ask.desk.store
    ask.before = known = await limits.find(store, body.task, body.limit)
    ask.after = body
    numbers = {name: value for name, value in _numbers(body.numbers).items() if known.numbers.get(name) != value}
    if not numbers:
        return told(ask, words_of(ask, "limits.same"), to="/limits")
    try:
        await limits.set_limit(store, body.task, body.limit, numbers, ask.who.name, expect=body.version)
    except BadInput as error:
        raise reading.named(error, "numbers") from None
    return told(ask, words_of(ask, "limits.set"), to="/limits")


async def reset(ask: Ask[Nothing, OneLimit]) -> Reply:
    """What the code says holds again."""
    ask.before = known = await limits.find(ask.desk.store, ask.query.task, ask.query.limit)
    await limits.reset(ask.desk.store, known.task, known.name)
    return told(ask, words_of(ask, "limits.was_reset"), to="/limits")


def _written(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _numbers(text: str) -> dict[str, Any]:
    """`cap=8` and the like, one to a line; raises `BadField`."""
    found: dict[str, Any] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, sign, value = (part.strip() for part in line.partition("="))
        if not sign or not name or name in found:
            raise BadField(f"{line:.60}: write NAME=VALUE, each once", field="numbers")
        try:
            found[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            found[name] = value
    return found


async def ask_strike(ask: Ask[None, Nothing]) -> Reply:
    """The dialog."""
    return show(ask, "limits_strike.html", page="limits", deeds=list(Deed))


async def strike(ask: Ask[NewStrike, Nothing]) -> Reply:
    """Keep runs from beginning."""
    body = ask.body
    ask.after = body
    until = utc(body.until, "until") if body.until else None
    await add(ask, body.predicate, body.reason, body.deed, until)
    return told(ask, words_of(ask, "limits.struck"), to="/limits")


async def lift(ask: Ask[Nothing, Nothing]) -> Reply:
    """Take a strike from the list."""
    ask.before = await strikes.remove(ask.desk.store, ask.path["strike"])
    return told(ask, words_of(ask, "limits.lifted"), to="/limits")


ROUTES = (
    shown("/limits", page, rule=Rule.WHOLE, words="Limits as they hold now, and the list of strikes."),
    shown("/limits/keys", keys, query=OfTask, rule=Rule.WHOLE, words="Who has a limit, who waits for it, and why."),
    shown("/limits/change", ask_change, query=OneLimit, rule=Rule.WHOLE, words="Other numbers for a limit."),
    done("/limits/change", change, body=NewNumbers, rule=Rule.WHOLE, words="Change a limit until it is reset."),
    done(
        "/limits/reset", reset, query=OneLimit, rule=Rule.WHOLE, words="Let what the code says of a limit hold again."
    ),
    shown("/limits/strikes", ask_strike, rule=Rule.WHOLE, words="What is not to begin."),
    done("/limits/strikes", strike, body=NewStrike, rule=Rule.WHOLE, words="Keep runs from beginning."),
    done(f"{STRIKE}/lift", lift, rule=Rule.WHOLE, words="Take a strike from the list."),
)

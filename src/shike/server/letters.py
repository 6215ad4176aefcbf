"""Dead letters: list, replay, drop."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from shike.errors import BadField, NotFound
from shike.model import Ended
from shike.operate import dead
from shike.operate.facts import RunFacts
from shike.server.ask import Ask, Nothing
from shike.server.paging import number_of, place_of
from shike.server.roles import Role
from shike.server.routes import API, Logged, Route, Rule
from shike.server.shapes import Letters, LettersWanted

HOME = f"{API}/dead"


class LettersPage(Struct, frozen=True, kw_only=True):
    """A page of dead letters. With a key of some queues a page may be short, though there is a `next`."""

    dead: list[RunFacts]
    next: str = ""


class Dropped(Struct, frozen=True, kw_only=True):
    """How many were forgotten."""

    dropped: int


async def listing(ask: Ask[None, LettersWanted]) -> LettersPage:
    """Dead letters, newest first."""
    wanted = ask.query
    found = await dead.listing(ask.desk.store, wanted.limit, task=wanted.task, before=place_of(wanted.cursor))
    following = found[-1].id if len(found) == wanted.limit else ""
    return LettersPage(dead=[one for one in found if ask.who.covers(one.queue)], next=following)


async def replay(ask: Ask[Letters, Nothing]) -> dead.Replays:
    """Run them again as new runs, each once."""
    letters = await _pick(ask)
    done = await dead.replay_all(ask.desk.client, letters)
    ask.after = done
    return done


async def drop(ask: Ask[Letters, Nothing]) -> Dropped:
    """Forget them."""
    letters = await _pick(ask)
    ask.after = {"runs": [str(one.run.id) for one in letters]}
    return Dropped(dropped=await dead.drop(ask.desk.store, letters))


async def _pick(ask: Ask[Letters, Any]) -> list[Ended]:
    wanted = ask.body
    if bool(wanted.runs) == bool(wanted.task):
        raise BadField("name the runs, or a task: one of them", field="runs")
    numbers = [number_of(run) for run in wanted.runs]
    letters = await dead.pick(ask.desk.store, numbers, task=wanted.task)
    mine = [one for one in letters if ask.who.covers(one.run.queue)]
    if wanted.runs and len(mine) < len(letters):
        raise NotFound("one of these runs is no dead letter")
    return mine


ROUTES = (
    Route(
        verb="GET", path=HOME, role=Role.VIEWER, rule=Rule.QUEUE, handler=listing, query=LettersWanted,
        answer=LettersPage, words="Dead letters, newest first: what failed for good, why, and whose it is.",
    ),
    Route(
        verb="POST", path=f"{HOME}/replay", role=Role.OPERATOR, rule=Rule.QUEUE, handler=replay, body=Letters,
        answer=dead.Replays, words="Run dead letters again as new runs, each once.", logged=Logged.EACH,
        example={"task": "mail.send"},
    ),
    Route(
        verb="POST", path=f"{HOME}/drop", role=Role.OPERATOR, rule=Rule.QUEUE, handler=drop, body=Letters,
        answer=Dropped, words="Forget dead letters that are dealt with.", logged=Logged.EACH,
        example={"runs": ["5629499534213120"]},
    ),
)  # fmt: skip

"""Signed webhooks become runs (R2.11): the intakes of the app that are made of a `Webhook`, by their names."""

from __future__ import annotations

from msgspec import Struct

from shike.connect.bounds import BODY_BYTES_MAX
from shike.errors import NotFound
from shike.server.ask import Ask, Nothing
from shike.server.routes import API, Logged, Route, Rule


class Became(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a message: `run`, `repeat` (it was one before), `passed` (the filter does not want it), or `aside`
    (it never can be a run, and is kept with the reason: sending it again changes nothing)."""

    became: str
    run: str = ""
    reason: str = ""


async def post(ask: Ask[bytes, Nothing]) -> Became:
    """One message. Raises `BadSignature`, `NotFound`."""
    intake = ask.desk.app.intakes.get(ask.path["intake"]) if ask.desk.app is not None else None
    if intake is None or intake.webhook is None:
        raise NotFound("there is no webhook of that name here")
    message = intake.webhook.read(ask.headers, ask.body, await ask.desk.store.now())
    accepted = await intake.accept(message)
    return Became(became=accepted.became, run=accepted.run_id, reason=accepted.reason)


ROUTES = (
    Route(
        verb="POST", path=f"{API}/hooks/{{intake}}", role=None, rule=Rule.SIGNED, handler=post, body=bytes,
        answer=Became, words="A signed webhook (Standard Webhooks): a message for the intake of that name.",
        logged=Logged.SUMMED, body_bytes_max=BODY_BYTES_MAX, example={"id": 7, "total": 120},
    ),
)  # fmt: skip

"""Money: callbacks of the gateway; and the page of the gateway that moves none, where it is the one in use."""

from __future__ import annotations

from shike.errors import BadNotice
from shike.rail.payment import Notice
from shike.rail.web import shapes
from shike.rail.web.ask import Ask
from shike.rail.web.house import House
from shike.rail.web.routes import API, Logged, Route, Rule
from shike.server.ask import Nothing


async def notice(ask: Ask[Notice, Nothing]) -> shapes.Heard:
    """A callback; as often as it comes. What is not signed by the gateway is not acted on."""
    return shapes.Heard(heard=str(await ask.house.desk.hear(ask.body)))


async def paid(ask: Ask[None, Nothing]) -> shapes.Ok:
    """The payer pays, at the gateway that moves no money."""
    await known(ask.house, ask.path["payment"])
    try:
        ask.house.till.pay(ask.path["payment"])
    except BadNotice:
        pass  # paid before, or called off: the order tells
    await ask.house.settle()
    return shapes.Ok()


async def declined(ask: Ask[None, Nothing]) -> shapes.Ok:
    """The payer's bank says no, at the same gateway."""
    await known(ask.house, ask.path["payment"])
    ask.house.till.fail(ask.path["payment"])
    await ask.house.settle()
    return shapes.Ok()


async def known(house: House, payment: str) -> str:
    """The order of a payment. The gateway of an earlier process is gone; this one is told of it. Raises `NotFound`."""
    order = await house.books.of_payment(payment)
    for one in order.payments:
        await house.till.open(one)
    return order.id


ROUTES = (
    Route(
        verb="POST", path=f"{API}/notices", rule=Rule.SIGNED, handler=notice, body=Notice, answer=shapes.Heard,
        words="A callback of the payment gateway, signed by it.", logged=Logged.KEPT,
    ),
    Route(
        verb="POST", path=f"{API}/payments/{{payment}}/paid", rule=Rule.OWN, handler=paid, answer=shapes.Ok,
        words="Pay, at the gateway that moves no money; 404 where there is another.", logged=Logged.KEPT,
    ),
    Route(
        verb="POST", path=f"{API}/payments/{{payment}}/declined", rule=Rule.OWN, handler=declined, answer=shapes.Ok,
        words="Have the bank say no, at the same gateway.", logged=Logged.KEPT,
    ),
)  # fmt: skip

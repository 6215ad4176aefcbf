"""A small railway behind its door, and people who ask it: requests go through everything, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from httpx import ASGITransport, AsyncClient, Response

from shike.app import Shike
from shike.clock import ManualClock
from shike.ids import SystemEntropy
from shike.rail.desk import Desk
from shike.rail.fake_gateway import FakeGateway
from shike.rail.keeping import MemoryOrders, MemoryRides
from shike.rail.opening import opening
from shike.rail.order import Order
from shike.rail.refusals import MemoryRefusals
from shike.rail.waiting import WaitingList
from shike.rail.web.building import application
from shike.rail.web.house import House
from shike.server.opening import Opening
from shike.server.roles import Role
from shike.store.memory import MemoryStore
from tests.unit.rail.shop import DAY, KEY, NOW, SECRET, ToldSeats, railway

K1 = f"K1/{DAY}/1"
K9 = f"K9/{DAY}/1"  # has no ledger


class Books(MemoryOrders, MemoryRefusals):
    def __init__(self) -> None:
        MemoryOrders.__init__(self)
        MemoryRefusals.__init__(self)

    async def orders(self, after: str = "", most: int = 1_000) -> list[Order]:
        return sorted((one for one in self.all() if one.id > after), key=lambda one: one.id)[:most]


class Said(NamedTuple):
    status: int
    body: Any
    headers: Any


class Railway:
    """Use inside `ride`."""

    def __init__(self, house: House, client: AsyncClient, gateway: FakeGateway, clock: ManualClock) -> None:
        self.house, self.client, self.gateway, self.clock = house, client, gateway, clock
        self.keys: dict[Role, str] = {}

    async def key(self, role: Role) -> str:
        if role not in self.keys:
            desk = await self.house.opening.desk()
            self.keys[role] = (await desk.keys.make(str(role), role, per_second=1e6)).key
        return self.keys[role]

    async def passenger(self) -> str:
        """A new session's token."""
        said = await self.ask("POST", "/session")
        assert said.status == 201, said
        return str(said.body["token"])

    async def ask(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        role: Role | None = None,
        raw: bytes | None = None,
        **headers: str,
    ) -> Said:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if role is not None:
            token = await self.key(role)
        if token:
            sent["authorization"] = f"Bearer {token}"
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("content-type", "application/json")
        where = path if path.startswith("/rail") else f"/rail/v1{path}"
        answer: Response = await self.client.request(verb, where, content=content, headers=sent)
        self.client.cookies.clear()
        is_json = "json" in answer.headers.get("content-type", "")
        return Said(answer.status_code, answer.json() if is_json and answer.content else answer.text, answer.headers)

    async def hold(self, token: str, number: str, way: str = "A D", train: str = K1, **headers: str) -> Said:
        return await self.ask("POST", "/orders", order(number, way, train), token=token, **headers)

    async def buy(self, token: str, number: str, way: str = "A D", train: str = K1) -> str:
        """A ticketed order."""
        name = str((await self.hold(token, number, way, train)).body["order"])
        payment = str((await self.ask("POST", f"/orders/{name}/pay", token=token)).body["page"]).rpartition("/")[2]
        assert (await self.ask("POST", f"/payments/{payment}/paid", token=token)).status == 200
        return name

    async def fill(self, way: str = "A D", train: str = K1, seats: int = 3) -> None:
        """Take all seats of second class."""
        token = await self.passenger()
        for number in range(seats):
            assert (await self.hold(token, f"FULL0{number}{train[1]}", way, train)).status == 201


def order(number: str, way: str = "A D", train: str = K1) -> dict[str, Any]:
    return {"trains": [ride(way, train)], "passengers": [person(number)]}


def ride(way: str = "A D", train: str = K1) -> dict[str, Any]:
    origin, goal = way.split()
    return {"train": train, "class": "second", "from": origin, "to": goal}


def person(number: str) -> dict[str, Any]:
    return {"name": "Ada Lovelace", "document": "passport", "number": f"X00000{number}"[-12:]}


def at(train: str, rest: str) -> str:
    return f"/trains/{quote(train)}/{rest}"


async def housed(*, is_public: bool = True) -> tuple[House, FakeGateway, ManualClock, Shike]:
    """The railway behind its door, not served yet."""
    trade, clock, seats = railway(), ManualClock(NOW), ToldSeats()
    books, rides, gateway = Books(), MemoryRides(), FakeGateway(SECRET, "/rail/pay/")

    async def later(_order: str, _at: int) -> None: ...

    desk = Desk(
        trade, seats=seats, orders=books, rides=rides, gateway=gateway, clock=clock, key=KEY, secret=SECRET, later=later
    )
    for one in trade.timetable.departures(DAY):
        if one.train != "K9":
            opens = clock.wall() if one.train != "K5" else clock.wall() + 3_600_000_000
            of = trade.trains.of(one.train)
            await seats.ask(one.key, opening(trade.timetable, one, of, at=clock.wall(), opens_at=opens))
    app = Shike(MemoryStore())
    house = House(
        trade, desk=desk, seats=seats, books=books, rides=rides, ledgers=Ledgers(seats), gateway=gateway, clock=clock,
        entropy=SystemEntropy(), key=KEY, opening=Opening(app.client, app), is_public=is_public,
        settle=WaitingList(desk, books, seats).look,
    )  # fmt: skip
    await app.client.settle_here()
    return house, gateway, clock, app


def ride_along(
    story: Callable[[Railway], Awaitable[None]], *, is_public: bool = True, address: str = "192.0.2.7"
) -> None:
    """Run a test's story in a railway of its own."""

    async def whole() -> None:
        house, gateway, clock, app = await housed(is_public=is_public)
        try:
            transport = ASGITransport(application(house), client=(address, 5000), raise_app_exceptions=True)  # type: ignore[arg-type]
            async with AsyncClient(transport=transport, base_url="http://rail.example") as client:
                await story(Railway(house, client, gateway, clock))
        finally:
            await house.opening.close()
            await app.client.close()

    asyncio.run(whole())


class Ledgers:
    """The names of ledgers in memory."""

    def __init__(self, seats: ToldSeats) -> None:
        self._seats = seats

    async def ledgers(self, after: str = "", most: int = 1_000) -> list[str]:
        return [name for name in sorted(self._seats.ledgers) if name > after][:most]

"""A server in memory, and callers with keys of every role: requests go through the whole door, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from httpx import ASGITransport, AsyncClient, Response

from shike.app import Shike
from shike.server.desk import Desk
from shike.server.keys import NewKey
from shike.server.opening import Opening
from shike.server.roles import Role
from shike.server.web import build
from shike.store.memory import MemoryStore

API = "/api/v1"


class Said(NamedTuple):
    """An answer, read."""

    status: int
    body: Any
    headers: Any

    @property
    def field(self) -> str:
        return str(self.body.get("field", ""))


class House:
    """Use inside `visit`."""

    def __init__(self, app: Shike, opening: Opening, desk: Desk, client: AsyncClient) -> None:
        self.app = app
        self.opening = opening
        self.desk = desk
        self.store = desk.store
        self.client = client
        self.keys: dict[str, str] = {}

    async def key(self, role: Role, *, queues: tuple[str, ...] = (), name: str = "") -> str:
        """A key of that role; the same one each time."""
        name = name or f"{role}{''.join(queues)}"
        if name not in self.keys:
            made: NewKey = await self.desk.keys.make(name, role, queues=queues, per_second=1e6)
            self.keys[name] = made.key
        return self.keys[name]

    async def ask(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        role: Role | None = Role.ADMIN,
        key: str = "",
        raw: bytes | None = None,
        **headers: str,
    ) -> Said:
        """One request."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key or role is not None:
            sent["authorization"] = f"Bearer {key or await self.key(role or Role.ADMIN)}"
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("content-type", "application/json")
        path = path if path.startswith(("/api", "/livez", "/readyz", "/metrics", "/nothing")) else f"{API}{path}"
        answer: Response = await self.client.request(verb, path, content=content, headers=sent)
        is_json = "json" in answer.headers.get("content-type", "")
        return Said(answer.status_code, answer.json() if is_json and answer.content else answer.text, answer.headers)

    async def submit(self, **run: Any) -> str:
        """A run that must be taken; its id."""
        said = await self.ask("POST", "/runs", {"task": "pay", "arguments": {"order": 1}} | run)
        assert said.status in (200, 201), said
        return str(said.body["run"])


def shop(store: Any = None) -> Shike:
    """An app with two tasks."""
    app = Shike(store or MemoryStore())

    @app.task(name="pay", retry=3)
    async def pay(order: int, note: str = "") -> str:
        if order < 0:
            raise ValueError("the bank said no")
        return f"{order} {note}".strip()

    @app.task(name="mail", queue="mail")
    async def mail(to: str) -> None: ...

    return app


def visit(story: Callable[[House], Awaitable[None]], app: Shike | None = None, *, address: str = "127.0.0.1") -> None:
    """Run a test's story in a house of its own."""

    async def whole() -> None:
        here = app or shop()
        opening = Opening(here.client, here)
        application = build(opening)
        try:
            await here.client.settle_here()
            transport = ASGITransport(application, client=(address, 5000), raise_app_exceptions=True)  # type: ignore[arg-type]
            async with AsyncClient(transport=transport, base_url="http://shike") as client:
                await story(House(here, opening, await opening.desk(), client))
        finally:
            await opening.close()
            await here.client.close()

    asyncio.run(whole())

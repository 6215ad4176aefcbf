"""The server inside another ASGI application, as Starlette and FastAPI mount it."""

from __future__ import annotations

import asyncio
from typing import Any

from httpx import ASGITransport, AsyncClient

from shike.server.keys import Keys
from shike.server.roles import Role
from shike.server.web import application
from tests.api.house import shop


class Host:
    """An application that passes on what lies under a prefix: the whole path, and where the prefix ends. It tells its
    parts nothing of its start and end, as a mounted application hears nothing of them."""

    def __init__(self, prefix: str, inner: Any) -> None:
        self._prefix = prefix
        self._inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["path"].startswith(self._prefix)
        await self._inner({**scope, "root_path": self._prefix, "app_root_path": ""}, receive, send)


def test_it_answers_under_the_prefix_and_opens_its_store_by_itself() -> None:
    async def story() -> None:
        app = shop()
        transport = ASGITransport(Host("/shike", application(app)))
        async with AsyncClient(transport=transport, base_url="http://host") as client:
            assert (await client.get("/shike/livez")).json() == {"status": "alive"}
            assert (await client.get("/shike/api/v1/me")).status_code == 401
            store = await app.client.store()
            made = await Keys(store, app.runtime.clock, app.runtime.entropy).make("x", Role.OPERATOR)
            headers = {"authorization": f"Bearer {made.key}"}
            run = {"task": "pay", "arguments": {"order": 7}}
            taken = await client.post("/shike/api/v1/runs", json=run, headers=headers)
            assert taken.status_code == 201
            shown = await client.get(f"/shike/api/v1/runs/{taken.json()['run']}", headers=headers)
            assert shown.json()["run"]["task"] == "pay"
            assert (await client.get("/shike/nothing")).status_code == 404
        await app.client.close()

    asyncio.run(story())


def test_beside_an_app_that_works_on_a_thread_of_its_own() -> None:
    """A WSGI or Django program starts Shike on a thread: the server's loop is another one than the store's."""

    async def story() -> None:
        app = shop()
        await asyncio.to_thread(app.start)
        try:
            transport = ASGITransport(application(app))  # type: ignore[arg-type]
            async with AsyncClient(transport=transport, base_url="http://host") as client:
                assert (await client.get("/readyz")).status_code == 200
                store = await app.client.store()
                made = await Keys(store, app.runtime.clock, app.runtime.entropy).make("x", Role.OPERATOR)
                headers = {"authorization": f"Bearer {made.key}"}
                run = {"task": "pay", "arguments": {"order": 7}}
                taken = await client.post("/api/v1/runs", json=run, headers=headers)
                path = f"/api/v1/runs/{taken.json()['run']}"
                shown = await client.get(f"{path}?wait_seconds=20", headers=headers)
                assert shown.json()["run"]["state"] == "SUCCESS"
                assert "event: end" in (await client.get(f"{path}/events", headers=headers)).text
        finally:
            await asyncio.to_thread(app.stop)

    asyncio.run(story())

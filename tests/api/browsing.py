"""As a browser asks: with the cookie of a sign-in, and with forms."""

from __future__ import annotations

from typing import Any

from httpx import Response

from shike.server.roles import Role
from tests.api.house import House

ORIGIN = {"origin": "http://shike"}


async def look(house: House, path: str, cookie: str = "", **headers: str) -> Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if cookie:
        sent["cookie"] = f"shike_sign_in={cookie}"
    return await house.client.get(path, headers=sent)


async def send(house: House, path: str, cookie: str = "", headers: Any = None, **form: str) -> Response:
    sent = dict(ORIGIN if headers is None else headers)
    if cookie:
        sent["cookie"] = f"shike_sign_in={cookie}"
    return await house.client.post(path, data=form, headers=sent)


async def signed_in(house: House, role: Role = Role.ADMIN, queues: tuple[str, ...] = ()) -> str:
    return (await house.desk.sign_ins.by_key(await house.key(role, queues=queues)))[0]

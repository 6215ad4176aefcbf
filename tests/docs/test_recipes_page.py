"""docs/recipes.md: its programs run, under FastAPI, Flask and Django themselves; the API mounted in each (R2.1)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from shike.server.keys import Keys
from shike.server.roles import Role
from tests import bounded

PAGE = Path(__file__).parents[2].joinpath("docs/recipes.md").read_text(encoding="utf-8")
PROGRAMS = {program.partition("\n")[0][2:]: program for program in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)}


def of_page(*names: str) -> dict[str, Any]:
    """What these programs of the page define, one after the other."""
    space: dict[str, Any] = {"__name__": names[0].removesuffix(".py")}
    for name in names:
        # As a module of its own would be: annotations are looked up in its globals.
        exec(compile(PROGRAMS[name], name, "exec", dont_inherit=True), space)  # noqa: S102 - our own page
    return space


async def may_use_the_api(client: AsyncClient, prefix: str, app: Any) -> None:
    """It is there, closed to whoever has no key, and open to whoever has one."""
    assert (await client.get(f"{prefix}/livez")).json() == {"status": "alive"}
    assert (await client.get(f"{prefix}/api/v1/me")).status_code == 401
    store = await app.client.store()
    key = await Keys(store, app.runtime.clock, app.runtime.entropy).make("x", Role.OPERATOR)
    headers = {"authorization": f"Bearer {key.key}"}
    shown = await client.get(f"{prefix}/api/v1/runs", headers=headers)
    assert [run["state"] for run in shown.json()["runs"]] == ["SUCCESS"]


def test_fastapi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space = of_page("fastapi_shop.py")
    web = space["web"]

    async def story() -> None:
        transport = ASGITransport(web)
        async with web.router.lifespan_context(web), AsyncClient(transport=transport, base_url="http://web") as client:
            run = (await client.post("/orders/7")).json()["run"]
            assert (await client.get(f"/receipts/{run}")).json() == {"receipt": "receipt 7"}
            await may_use_the_api(client, "/shike", space["app"])

    bounded.run(story())


def test_flask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space = of_page("flask_shop.py", "wsgi.py")
    try:
        client = space["web"].test_client()
        run = client.post("/orders/7").get_json()["run"]
        assert client.get(f"/receipts/{run}").get_json() == {"receipt": "receipt 7"}
    finally:
        space["app"].stop()


def test_django_by_wsgi_and_by_asgi_with_the_api_beside_it(tmp_path: Path) -> None:
    """In a process of its own: Django is configured once in each."""
    for name in ("django_shop.py", "asgi.py"):
        text = PROGRAMS[name] if name != "asgi.py" else f"from django_shop import app\n{PROGRAMS[name]}"
        (tmp_path / name).write_text(text)
    (tmp_path / "story.py").write_text(STORY)
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "story.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=2 * bounded.SECONDS,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["all is well"]), done.stdout + done.stderr


STORY = """
import asyncio

import django
from django.conf import settings

settings.configure(
    ROOT_URLCONF="django_shop", ALLOWED_HOSTS=["*"], SECRET_KEY="of a test", DEBUG=False, USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "django.db"}},
)
django.setup()

from django.test import Client
from httpx import ASGITransport, AsyncClient

import django_shop
from asgi import application

app = django_shop.app
app.start()
assert Client().post("/orders/7").json() == {"order": 7}


async def story():
    async with AsyncClient(transport=ASGITransport(application), base_url="http://web") as client:
        shown = await client.get("/receipts/8")
        assert shown.json() == {"receipt": "receipt 8"}, shown.text
        assert (await client.get("/shike/livez")).json() == {"status": "alive"}
        assert (await client.get("/shike/api/v1/me")).status_code == 401
        assert (await client.get("/nothing")).status_code == 404


asyncio.run(story())
app.stop()
print("all is well")
"""

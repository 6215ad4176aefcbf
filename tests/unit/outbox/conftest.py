"""An application's database of each kind, and an app whose store is elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shike import Shike
from shike.outbox import Outbox
from tests.unit.outbox.worlds import World, world_of


@pytest.fixture(scope="module", params=["sqlite", "postgres", "mysql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from world_of(request.param, tmp_path_factory.mktemp("world"))


@pytest.fixture
def app() -> Iterator[Shike]:
    app = Shike("memory://")
    app.task(mail, name="mail")
    yield app
    app.client.close_sync()


def mail(number: int) -> int:
    return number


@pytest.fixture
def world(database: World) -> Iterator[World]:
    """With an empty outbox."""
    outbox = Outbox(Shike("memory://"), database.url)
    outbox.create()
    outbox._app.client.close_sync()
    database.ask("delete from orders")
    database.ask("delete from shike_outbox")
    database.ask("update shike_outbox_relay set until = 0")
    yield database

"""Django's connection, without a project around it."""

from __future__ import annotations

from typing import Any

import pytest

from shike import Shike
from shike.errors import BadInput


class Undone(Exception):
    """What makes an atomic block roll back."""


def django_connection(backend: str, settings: dict[str, Any]) -> Any:
    """What `django.db.connection` is, to one database."""
    import django.conf
    from django.db.utils import ConnectionHandler

    if not django.conf.settings.configured:
        django.conf.settings.configure(USE_TZ=True, LOGGING_CONFIG=None)
        django.setup()
    given = {"default": {"ENGINE": f"django.db.backends.{backend}", **settings}}
    handler = ConnectionHandler(given)
    return handler["default"]


def in_atomic_blocks(app: Shike, connection: Any) -> None:
    """One that is committed, one that is rolled back, and none."""
    from django.db import connections, transaction

    connections["shop"] = connection
    connection.alias = "shop"
    mail = app.find_task("mail")
    with pytest.raises(Undone), transaction.atomic(using="shop"):
        app.submit_on(connection, mail.bind(1))
        raise Undone
    with pytest.raises(BadInput, match="begin one"):
        app.submit_on(connection, mail.bind(2))
    with transaction.atomic(using="shop"):
        with connection.cursor() as cursor:
            cursor.execute("insert into orders values (1)")
        with pytest.raises(Undone), transaction.atomic(using="shop"):
            app.submit_on(connection, mail.bind(3))
            raise Undone
        handle = app.submit_on(connection, mail.bind(4))
    assert handle.fresh

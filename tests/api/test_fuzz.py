"""Whatever is sent, as whoever: no server error, and answers as the OpenAPI says (schemathesis)."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from shike.server.openapi import document
from shike.server.opening import Opening
from shike.server.roles import Role
from shike.server.serving import Front, bound
from shike.server.table import TABLE
from shike.server.web import build
from tests.api.house import shop

EXAMPLES = int(os.environ.get("SHIKE_FUZZ_EXAMPLES", "12"))  # of each operation, as each role
CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS = [(route.verb, route.path) for route in TABLE if not route.path.endswith("/events")]


class Served:
    """A server on a thread of its own, with a key of each role."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, str] = {}
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    async def _serve(self) -> None:
        app = shop()
        opening = Opening(app.client, app)
        await app.client.settle_here()
        keys = (await opening.desk()).keys
        for role in Role:
            self.keys[role] = (await keys.make(role, role, per_second=1e9)).key
        front = Front(build(opening), bound("127.0.0.1", 0), opening.close)
        front.start()
        self.url = front.url
        self._ready.set()
        await self._over.wait()
        await front.stop()
        await app.client.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)
        self._loop.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    server = Served()
    yield server
    server.close()


def shortened() -> dict[str, Any]:
    """The document, with long polls that end soon: waiting is not what is looked for."""
    found = document(TABLE)
    components = found["components"]["schemas"]
    for schema in components.values():
        if "wait_seconds" in schema.get("properties", {}):
            schema["properties"]["wait_seconds"]["maximum"] = 0.01
    for verbs in found["paths"].values():
        for operation in verbs.values():
            for parameter in operation["parameters"]:
                if parameter["name"] == "wait_seconds":
                    parameter["schema"]["maximum"] = 0.01
    return found


@pytest.mark.slow
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("verb", "path"), OPERATIONS, ids=[f"{verb} {path}" for verb, path in OPERATIONS])
def test_no_request_of_any_role_is_a_server_error(served: Served, verb: str, path: str, role: Role) -> None:
    schema = schemathesis.openapi.from_dict(shortened())
    schema.config.base_url = served.url
    operation = schema[path][verb]
    headers = {"authorization": f"Bearer {served.keys[role]}"}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=cases_of(operation))
    def fuzz(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS, excluded_checks=[ignored_auth])

    try:
        fuzz()
    except FailureGroup as group:
        raise AssertionError("\n".join(map(str, group.exceptions))) from None


def cases_of(operation: Any) -> Any:
    """Good ones and bad ones; of an operation that takes nothing there are no bad ones."""
    good = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    takes_something = operation.body or operation.query or operation.path_parameters or operation.headers
    return good | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE) if takes_something else good

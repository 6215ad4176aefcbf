"""Whatever is sent to the railway, as a passenger or as staff: no server error, and answers as the OpenAPI says."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shike.rail.web import door
from shike.rail.web.building import application
from shike.rail.web.openapi import document
from shike.rail.web.routes import Rule
from shike.rail.web.table import TABLE
from shike.server.roles import Role
from shike.server.serving import Front, bound
from tests.api.rail.railway import housed
from tests.api.test_fuzz import cases_of

EXAMPLES = int(os.environ.get("SHIKE_FUZZ_EXAMPLES", "12"))  # of each operation, as each caller
CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ROUTES = [route for route in TABLE if not route.is_page and route.rule is not Rule.FILE]
TRAIN = {"train": "K1", "day": "2026-11-22", "run": "1"}
UNBOUNDED = ("ADDRESS_PER_SECOND", "ADDRESS_BURST", "SESSION_PER_SECOND", "SESSION_BURST", "REFUSALS_BURST")


class Served:
    """A railway on a thread of its own, a passenger and an operator."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens: dict[str, str] = {}
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(60)

    async def _serve(self) -> None:
        house, _, _, app = await housed()
        keys = (await house.opening.desk()).keys
        self.tokens["operator"] = (await keys.make("o", Role.OPERATOR, per_second=1e9)).key
        self.tokens["passenger"] = house.sessions.make().token
        front = Front(application(house), bound("127.0.0.1", 0), house.opening.close)
        front.start()
        self.url = front.url
        self._ready.set()
        await self._over.wait()
        await front.stop()
        await app.client.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(60)
        self._loop.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        for name in UNBOUNDED:
            patch.setattr(door, name, 1e9)
        server = Served()
        yield server
        server.close()


@pytest.mark.slow
@pytest.mark.parametrize("route", ROUTES, ids=[route.name for route in ROUTES])
@pytest.mark.parametrize("who", ["passenger", "operator"])
def test_no_server_error_and_only_documented_answers(served: Served, route: object, who: str) -> None:
    schema = schemathesis.openapi.from_dict(document(ROUTES))
    schema.config.update(base_url=served.url)
    operation = schema[route.path][route.verb]  # type: ignore[attr-defined]
    headers = {"authorization": f"Bearer {served.tokens[who]}"}

    @settings(
        max_examples=EXAMPLES, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        derandomize=True, database=None,
    )  # fmt: skip
    @given(case=cases_of(operation))
    def tried(case: schemathesis.Case) -> None:
        for name, value in TRAIN.items():
            if name in case.path_parameters and len(case.path_parameters[name]) % 2:
                case.path_parameters[name] = value  # else nearly nothing would be a train
        answer = case.call(headers=headers)
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            raise AssertionError([str(one) for one in group.exceptions]) from None

    tried()

"""An exporter harms nobody: what is none is refused, and one that does not come to its end is left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from shike import Shike
from shike.engine import Engine, Roles
from shike.errors import BadInput
from shike.export.prometheus import Prometheus
from shike.model import SessionState
from tests.unit.worker.world import World, run


@pytest.mark.parametrize("wrong", [None, "otel", 3, Prometheus], ids=str)
def test_what_is_no_exporter_is_refused(wrong: Any) -> None:
    app = Shike("memory://")
    with pytest.raises(BadInput, match="no exporter"):
        app.export(wrong)
    assert not app.exporters


class Stuck:
    """It waits for a collector that is not there."""

    begins = False

    async def open(self, figures: Callable[[], Mapping[str, float]]) -> None: ...
    def begin(self, context: object) -> None: ...
    def started(self, context: object) -> None: ...
    def ended(self, run: object, ack: object) -> None: ...

    async def rest(self) -> None:
        await asyncio.sleep(3_600)


def test_an_exporter_that_does_not_end_keeps_no_process_from_its_end(caplog: pytest.LogCaptureFixture) -> None:
    async def story(world: World) -> None:
        engine = Engine(world.store, world.runtime, {}, Roles(name="e"), pools={}, watchers=[Stuck()])
        await engine.start()
        before = asyncio.get_running_loop().time()
        await engine.stop(0.0)
        assert asyncio.get_running_loop().time() - before < 60
        assert [one.state for one in await world.store.sessions(all=True)] == [SessionState.CLOSED]

    with caplog.at_level(logging.ERROR):
        run(story)
    assert "an exporter was not done within 10 s" in caplog.text

"""The intakes that an app declares, read beside what a process does else (R2.11)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shike.app import Shike

log = logging.getLogger("shike")


@asynccontextmanager
async def read_beside(app: Shike | None, wanted: bool) -> AsyncIterator[list[str]]:
    """Read all that have a source, for as long as the block lasts; their names. Outages are waited out."""
    reading = [one for one in app.intakes.values() if one.reads] if app is not None and wanted else []
    async with AsyncExitStack() as stack:
        for intake in reading:
            await stack.enter_async_context(intake.serving())
        if reading:
            log.info("reading messages for %s", ", ".join(one.name for one in reading))
        yield [one.name for one in reading]

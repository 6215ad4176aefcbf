"""All routes of the console: the entrance, the files, the stream, and whatever pages there are."""

from __future__ import annotations

from typing import Final

from shike.server.console import entrance, pages, statics, stream
from shike.server.routes import Route

ROUTES: Final[tuple[Route, ...]] = (*entrance.ROUTES, *statics.ROUTES, *stream.ROUTES, *pages.found()[1])

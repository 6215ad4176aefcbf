"""The route table of the railway: everything that can be asked for, who may, and by which rule."""

from __future__ import annotations

from typing import Final

from shike.rail.web import buying, openapi, operating, pages, searching, staff_pages, till
from shike.rail.web.routes import Route, checked

TABLE: Final[tuple[Route, ...]] = checked(
    (
        *searching.ROUTES,
        *buying.ROUTES,
        *till.ROUTES,
        *operating.ROUTES,
        *openapi.ROUTES,
        *pages.ROUTES,
        *staff_pages.ROUTES,
    )
)


def markdown() -> str:
    """The table of docs/rail.md: what programs may ask for."""
    lines = ["| verb | path | who | what |", "|---|---|---|---|"]
    for route in TABLE:
        if not route.is_page and route.rule != "file":
            who = f"staff: {route.role}" if route.role is not None else str(route.rule)
            lines.append(f"| {route.verb} | `{route.path}` | {who} | {route.words} |")
    return "\n".join(lines) + "\n"

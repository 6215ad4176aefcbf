"""The route table: everything that can be asked for, who may, and by which rule. What is not here is not served."""

from __future__ import annotations

from typing import Final

from shike.server import access, fleet, health, letters, openapi, proofs, queues, runs, schedules, streams, workers
from shike.server.routes import Route, checked

TABLE: Final[tuple[Route, ...]] = checked(
    (
        *health.ROUTES,
        *runs.ROUTES,
        *schedules.ROUTES,
        *letters.ROUTES,
        *queues.ROUTES,
        *fleet.ROUTES,
        *proofs.ROUTES,
        *access.ROUTES,
        *streams.ROUTES,
        *workers.ROUTES,
        *openapi.ROUTES,
    )
)


def markdown() -> str:
    """The table of docs/rest.md."""
    lines = ["| verb | path | role | rule | log | what |", "|---|---|---|---|---|---|"]
    for route in TABLE:
        role = " or ".join(str(one) for one in (route.role, *route.also) if one is not None) or "nobody need be"
        words = route.words.replace("|", "\\|")
        lines.append(f"| {route.verb} | `{route.path}` | {role} | {route.rule} | {route.logged} | {words} |")
    return "\n".join(lines) + "\n"

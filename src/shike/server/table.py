"""The route table: everything that can be asked for, who may, and by which rule. What is not here is not served.

`TABLE` is what programs ask for, and the OpenAPI tells; `SERVED` is that and the console.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shike.server import (
    access,
    alarms,
    fleet,
    graphs,
    health,
    hooks,
    letters,
    limits,
    openapi,
    proofs,
    queues,
    reports,
    runs,
    schedules,
    streams,
    workers,
)
from shike.server.console import table as console
from shike.server.routes import Route, Rule, checked

TABLE: Final[tuple[Route, ...]] = checked(
    (
        *health.ROUTES,
        *runs.ROUTES,
        *graphs.ROUTES,
        *schedules.ROUTES,
        *letters.ROUTES,
        *queues.ROUTES,
        *limits.ROUTES,
        *alarms.ROUTES,
        *fleet.ROUTES,
        *proofs.ROUTES,
        *access.ROUTES,
        *streams.ROUTES,
        *workers.ROUTES,
        *reports.ROUTES,
        *hooks.ROUTES,
        *openapi.ROUTES,
    )
)

SERVED: Final[tuple[Route, ...]] = checked((*TABLE, *console.ROUTES))


def markdown(routes: Iterable[Route] = TABLE) -> str:
    """The table of docs/rest.md, and that of docs/console.md."""
    lines = ["| verb | path | role | rule | log | what |", "|---|---|---|---|---|---|"]
    for route in routes:
        nobody = "whoever signs" if route.rule is Rule.SIGNED else "nobody need be"
        role = " or ".join(str(one) for one in (route.role, *route.also) if one is not None) or nobody
        words = route.words.replace("|", "\\|")
        lines.append(f"| {route.verb} | `{route.path}` | {role} | {route.rule} | {route.logged} | {words} |")
    return "\n".join(lines) + "\n"

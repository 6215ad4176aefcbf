"""`shike open`: a link that signs whoever opens it in to the console, once."""

from __future__ import annotations

import getpass
from typing import Annotated, Final

from cyclopts import Parameter

from shike.cli import output
from shike.cli.root import FINE
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.errors import BadInput
from shike.task import member

LADDER: Final = ("viewer", "operator", "editor", "admin")


def open_(
    *,
    role: Annotated[str, Parameter(help="viewer, operator, editor or admin.")] = "admin",
    url: Annotated[str, Parameter(help="Where the server is; else as the settings host and port say.")] = "",
    where: Where = ANYWHERE,
) -> int:
    """Print a link that signs in to the console: once, within ten minutes, for twelve hours.

    Whoever can open the store may do everything with it anyhow; the link brings that into a browser. The server has to
    run already (`shike up`, `shike server`).
    """
    from shike.server.console.signins import SignIns, link_at
    from shike.server.keys import Keys
    from shike.server.roles import Role

    if role not in LADDER:
        raise BadInput(f"{role!r} is no role of a person; there are {', '.join(LADDER)}")
    chosen = member(Role, role)
    settings = where.settings().settings
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = url.rstrip("/") or f"http://{host}:{settings.port}"

    async def work(desk: Desk) -> str:
        runtime = desk.client.runtime
        keys = Keys(desk.store, runtime.clock, runtime.entropy)
        return await SignIns(desk.store, keys, runtime.clock, runtime.entropy).link(getpass.getuser(), chosen)

    link = link_at(address, at_desk(where, work))
    if where.json:
        output.as_json({"link": link})
    else:
        print(link)
    return FINE

"""`shike alive`: a health check for containers and units, which have neither curl nor a way to look into a process."""

from __future__ import annotations

import http.client
import socket
from typing import Annotated, Final
from urllib.parse import urlsplit

from cyclopts import Parameter

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.errors import BadInput

WORKING: Final = ("all", "node", "worker")
ANSWER_SECONDS: Final = 3.0  # a health check that takes longer has failed


def alive(
    *,
    url: Annotated[str, Parameter(help="Ask a server instead: http://127.0.0.1:8787/readyz.")] = "",
    where: Where = ANYWHERE,
) -> int:
    """Exit code 0 if a scheduler or worker of this host has beaten lately, as its store tells, or else a server answers
    on this host at the port of the settings; else 1."""
    local = f"http://127.0.0.1:{where.settings().settings.port}/livez"
    names = _answers(url) if url else at_desk(where, _beating) or _answers(local)
    if where.json:
        output.as_json({"alive": names})
    else:
        print(f"alive: {', '.join(names)}" if names else "nothing is alive here")
    return FINE if names else FOUND


async def _beating(desk: Desk) -> list[str]:
    """Processes of this host whose lease is not over."""
    now, host = await desk.store.now(), socket.gethostname()
    return [
        one.name
        for one in await desk.store.sessions()
        if one.host == host and one.kind in WORKING and one.expires_at > now and not desk.store.is_gone(one.id)
    ]


def _answers(url: str) -> list[str]:
    """The server, where it answers 200."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise BadInput(f"--url {url}: an address such as http://127.0.0.1:8787/readyz")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", parts.path or "/")
        return [parts.netloc] if connection.getresponse().status == 200 else []
    except OSError:
        return []
    finally:
        connection.close()

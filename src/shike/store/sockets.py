"""A connection whose other end is gone without a word: found out by the kernel, at no statement's cost.

Nothing is ever sent on a connection that only listens, so a link that was cut (a router that forgot it, a machine that
lost its power) would look quiet for ever. The kernel asks instead: a packet each few seconds without traffic.
"""

from __future__ import annotations

import socket
from typing import Any, Final

IDLE_SECONDS: Final = 5  # without traffic, until the other end's kernel is asked
ASK_SECONDS: Final = 2  # between two questions
UNANSWERED_SECONDS: Final = 10  # then the connection is lost, and whoever waits on it is told


def watch(transport: Any) -> None:
    """Have the kernel look after this asyncio transport's connection. Sockets of this machine need none of it."""
    line: socket.socket | None = transport.get_extra_info("socket") if transport is not None else None
    if line is None or line.family not in (socket.AF_INET, socket.AF_INET6):
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", IDLE_SECONDS),
        ("TCP_KEEPALIVE", IDLE_SECONDS),  # the same, as macOS calls it
        ("TCP_KEEPINTVL", ASK_SECONDS),
        ("TCP_KEEPCNT", (UNANSWERED_SECONDS - IDLE_SECONDS) // ASK_SECONDS),
        ("TCP_USER_TIMEOUT", UNANSWERED_SECONDS * 1000),
    ):
        option = getattr(socket, name, None)
        if option is not None:  # a system that does not know it keeps its own, longer times
            line.setsockopt(socket.IPPROTO_TCP, option, value)

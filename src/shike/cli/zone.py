"""The name of this machine's time zone, as cron would use it."""

from __future__ import annotations

import os
from pathlib import Path

LINK = Path("/etc/localtime")
FOLDER = "zoneinfo"


def local_zone() -> str:
    """The variable TZ, else where the system's own zone file points to, else UTC."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if named and not named.startswith("/"):
        return named
    target = LINK.resolve().parts
    if FOLDER in target:
        return "/".join(target[target.index(FOLDER) + 1 :])
    return "UTC"

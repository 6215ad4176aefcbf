"""`shike doctor`: look for trouble."""

from __future__ import annotations

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.where import ANYWHERE, Where, at_desk
from shike.operate.doctor import Level, examine


def doctor(*, where: Where = ANYWHERE) -> int:
    """Look for trouble in the store, the clock, the processes and the settings. Exit code 1 if something is wrong."""
    findings = at_desk(where, lambda desk: examine(desk.store, desk.loaded))
    if where.json:
        output.as_json({"findings": findings})
    else:
        output.table(("", "what", "found"), [(one.level, one.what, one.words) for one in findings])
    return FOUND if any(one.level in (Level.WARN, Level.BAD) for one in findings) else FINE

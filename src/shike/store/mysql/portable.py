"""The phases of a move, as triggers. Each is made by a step of its own, which waits for the transactions that use its
table: layout is never part of a transaction here. A phase that was entered halfway is entered again."""

from __future__ import annotations

from typing import Final

from shike.store.mysql.link import MySQLLink
from shike.store.mysql.texts import literal
from shike.store.portable import MARKER_KEY, Marker, Phase, encoded

WORDS_MAX: Final = 120  # of what it may say
_EVENTS: Final = ("insert", "update", "delete")
_KEPT: Final = ("run", "lane", "gated", "holder", "dedupe", "lease", "dead", "schedule", "timetable", "bucket")
_GRANT: Final = ("lease", "insert")
_JOIN: Final = ("session", "insert")
_SEAL: Final = tuple((table, event) for table in (*_KEPT, "control") for event in _EVENTS)
_GUARDED: Final[dict[Phase, tuple[tuple[str, str], ...]]] = {
    Phase.COPYING: (),
    Phase.DRAINING: (_GRANT,),
    Phase.SEALED: (*_SEAL, _JOIN),
    Phase.MOVED: (*_SEAL, _JOIN, ("session", "update")),
    Phase.LOADING: (_GRANT, _JOIN),
    Phase.OPENED: (),
}


async def restrict(link: MySQLLink, ns: str, marker: Marker | None) -> None:
    """`Portable.restrict`. Triggers of the phase before go when those of this one are there: nothing slips through."""
    if marker is None:
        await link.run("control_delete", [MARKER_KEY])
    else:
        await link.run("restrict_mark", [encoded(marker)])
    wanted = {} if marker is None else _triggers(ns, marker)
    made = {name for (name,) in await link.rows("restrict_made", [])}
    for name in wanted.keys() - made:
        await link.execute(wanted[name])
    for name in made - wanted.keys():
        await link.execute(f"drop trigger if exists {name}")


def _triggers(ns: str, marker: Marker) -> dict[str, str]:
    """The statements that make those of a phase, by name."""
    words = literal(f"{marker.phase} {marker.peer}"[:WORDS_MAX])
    found = {}
    for table, event in _GUARDED[marker.phase]:
        name = f"{ns}_move_{marker.phase}_{table}_{event}"
        found[name] = _trigger(f"{name} before {event} on {ns}_{table}", table, event, words)
    return found


def _trigger(head: str, table: str, event: str, words: str) -> str:
    """The marker's own row may change."""
    refuse = f"set @shike_moved = {words}; signal sqlstate '45000' set message_text = @shike_moved;"
    if table == "control":
        row = "old" if event == "delete" else "new"
        refuse = f"if {row}.`key` <> '{MARKER_KEY}' then {refuse} end if;"
    return f"create trigger {head} for each row begin {refuse} end"

"""What is paused: control rows that each claim heeds, the same in every store.

`queue/NAME` pauses a queue (`QUEUE_SWITCH`); `pause/task/NAME`, `pause/tag/NAME` and `pause/key/KEY` pause a task, the
tasks that have a tag, and the runs of one business key. Tags are words of tasks, which stores do not know: a claim says
which of its tasks have which. What is paused is granted to nobody, from the commit of its row on; what runs goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from shike.model import NEVER, Run
from shike.store.verbs import Claim

PAUSE: Final = "pause/"
PAUSE_END: Final = "pause0"  # the first text that comes after all that begin with PAUSE
TASK: Final = "task/"
TAG: Final = "tag/"
KEY: Final = "key/"


class Paused(Struct, frozen=True):
    """All pauses but those of queues."""

    tasks: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()

    def grantable(self, asked: Claim) -> frozenset[str]:
        """The tasks of which a claim may have runs."""
        if not self.tasks and not self.tags:
            return asked.tasks
        held = {task for tag, tasks in asked.tags if tag in self.tags for task in tasks}
        return asked.tasks - self.tasks - held

    def holds(self, run: Run) -> bool:
        """Whether its key is paused."""
        return run.key in self.keys


NOTHING: Final = Paused()
_WORD: Final = b"paused"


class Note(Struct, frozen=True, omit_defaults=True):
    """What the row of a pause says, of whatever it is."""

    reason: str = ""
    until: int = NEVER  # by the store's clock: a node resumes it then


def pack_note(note: Note) -> bytes:
    """The value of the row; without an end as it always was, so that older programs read it."""
    return b"%s %s" % (_WORD, msgspec.json.encode(note) if note.until else note.reason.encode())


def unpack_note(value: bytes) -> Note:
    words = value.removeprefix(_WORD).strip()
    try:
        return msgspec.json.decode(words, type=Note)
    except msgspec.MsgspecError:
        return Note(words.decode(errors="replace"))


def paused_of(rows: Iterable[str]) -> Paused:
    """What the keys of control rows say, PAUSE in front of them or not."""
    names = [row.removeprefix(PAUSE) for row in rows]
    if not names:
        return NOTHING
    tasks, tags, keys = (
        frozenset([name.removeprefix(kind) for name in names if name.startswith(kind)]) for kind in (TASK, TAG, KEY)
    )
    return Paused(tasks, tags, keys - {""})

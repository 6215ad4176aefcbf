"""Hold back a queue, a task, the tasks of a tag, or a business key, for a reason and perhaps for a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from shike.bounds import KEY_CHARS_MAX
from shike.clock import to_datetime
from shike.errors import BadInput, BadTime
from shike.lanes import queue_of
from shike.model import NEVER, Run
from shike.scheduler.resumer import pauses as rows_of
from shike.store import past
from shike.store.base import QUEUE_SWITCH, Control, Store
from shike.store.pauses import KEY, PAUSE, TAG, TASK, Note, pack_note, unpack_note
from shike.task import check_name, check_queue

REASON_CHARS_MAX: Final = 1_000  # it is shown wherever somebody asks why nothing happens
PREFIXES: Final = {"queue": QUEUE_SWITCH, "task": PAUSE + TASK, "tag": PAUSE + TAG, "key": PAUSE + KEY}


class What(Struct, frozen=True):
    """What is held back: `kind` is queue, task, tag or key."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Pause(Struct, frozen=True, kw_only=True):
    """What is held back, why, and until when (UTC µs; 0: until somebody resumes it)."""

    what: What
    reason: str
    until: int = NEVER

    def __str__(self) -> str:
        end = f"until {to_datetime(self.until):%Y-%m-%d %H:%M:%S} UTC" if self.until else "until it is resumed"
        return f"paused by its {self.what}: {self.reason or 'no reason was given'}, {end}"


def what_of(*, queue: str = "", task: str = "", tag: str = "", key: str = "") -> What:
    """Exactly one of them, checked; raises `BadInput`."""
    named = [What(kind, name) for kind, name in (("queue", queue), ("task", task), ("tag", tag), ("key", key)) if name]
    if len(named) != 1:
        raise BadInput("say what: one of a queue, a task, a tag or a key")
    (what,) = named
    if what.kind == "queue":
        check_queue(what.name)
    elif what.kind == "key":
        if not isinstance(what.name, str) or len(what.name) > KEY_CHARS_MAX or "\0" in what.name:
            raise BadInput(f"a business key is a text of at most {KEY_CHARS_MAX} characters, without NUL")
    else:
        check_name(what.kind, what.name)
    return what


async def pause(store: Store, what: What, reason: str, until: int = NEVER) -> Pause:
    """From the answer on nothing of it is granted; what runs goes on. Pausing it again changes reason and end.
    Raises `BadInput` without a reason, `BadTime` for an end that is not ahead by the store's clock."""
    if not isinstance(reason, str) or not reason.strip() or len(reason) > REASON_CHARS_MAX:
        raise BadInput(f"say why, in at most {REASON_CHARS_MAX:,} signs: whoever finds it paused will ask")
    if until and until <= await store.now():
        raise BadTime("a pause has to end in the future")
    key = PREFIXES[what.kind] + what.name
    await store.put(key, pack_note(Note(reason, until)), expect=None)
    await past.began(store, key, reason)
    return Pause(what=what, reason=reason, until=until)


async def resume(store: Store, what: What) -> bool:
    """Grant it again; False if it was not paused."""
    key = PREFIXES[what.kind] + what.name
    for row in await store.controls(key):
        if row.key == key:
            await store.put(key, None, expect=row.version)
            await past.ended(store, key)
            return True
    return False


async def listing(store: Store) -> list[Pause]:
    """All that is paused, by kind and name."""
    return [_pause(row) for row in await rows_of(store)]


async def pauses_of(store: Store, run: Run, tags: Sequence[str] = ()) -> list[Pause]:
    """What holds this run back. `tags`: of its task, which only its program knows."""
    names = {"queue": (queue_of(run.queue),), "task": (run.task,), "tag": tuple(tags), "key": (run.key,)}
    return [one for one in await listing(store) if one.what.name in names[one.what.kind]]


def _pause(row: Control) -> Pause:
    note = unpack_note(row.value)
    kind, prefix = next((kind, prefix) for kind, prefix in PREFIXES.items() if row.key.startswith(prefix))
    return Pause(what=What(kind, row.key.removeprefix(prefix)), reason=note.reason, until=note.until)

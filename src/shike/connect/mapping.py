"""From a message to a call: which of its fields are the arguments, the key, the queue and the band."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct

from shike.call import Call, Task
from shike.connect.conditions import MISSING, View, check_path
from shike.errors import BadArguments, BadInput


class Field(Struct, frozen=True):
    """What lies at a path, or `default` where nothing does."""

    path: str
    default: Any = MISSING


class Fixed(Struct, frozen=True):
    """The same for every message."""

    value: Any


class Pick(Struct, frozen=True):
    """By what lies at a path, one of a few values: a sender cannot choose any other."""

    path: str
    values: Mapping[str, Any]
    default: Any = MISSING


Value: TypeAlias = str | Field | Fixed | Pick  # a text is a path
ANEW: Final = Fixed("")  # in place of an id: whatever comes, and comes again, is a message of its own


class Map(Struct, frozen=True, kw_only=True):
    """`args`: argument → where its value is; without it, the body is a JSON object of the arguments by name.

    `id`: what makes a message the same as one that came before; `ANEW`: nothing does, so one that comes again runs
    again. `key`: the run's business key (two messages with one key are one run while it is remembered). `queue` and
    `band`: where the run waits; without them as the task says.
    """

    args: Mapping[str, Value] | None = None
    id: Value = "$id"
    key: Value | None = None
    queue: Value | None = None
    band: Value | None = None

    def check(self) -> None:
        """Raises `BadInput` for a path that is none."""
        single = [value for value in (self.id, self.key, self.queue, self.band) if value is not None]
        for value in (*single, *(self.args or {}).values()):
            if isinstance(value, str):
                check_path(value)
            elif isinstance(value, Field | Pick):
                check_path(value.path)
            elif not isinstance(value, Fixed):
                raise BadInput(f"{value!r:.60} is no place in a message; write a path, or Fixed({value!r:.20})")

    def identity(self, view: View) -> str:
        """Raises `BadInput` where the message has none; "": it needs none."""
        if self.id is ANEW:
            return ""
        return _word(view, self.id, "id", "by which a repeat would be known; say id=… in the Map, or id=ANEW")

    def call(self, view: View, task: Task[..., Any]) -> Call[Any]:
        """Raises `BadInput` for a message that does not fit the task."""
        options: dict[str, Any] = {}
        if self.key is not None:
            options["key"] = _word(view, self.key, "key", "of its run")
        if self.queue is not None:
            options["queue"] = _found(view, self.queue, "queue")
        if self.band is not None:
            options["band"] = _found(view, self.band, "band")
        return task.options(**options).bind(**self._args(view))

    def _args(self, view: View) -> dict[str, Any]:
        if self.args is None:
            if not isinstance(view.body, dict):
                raise BadArguments("the body is no JSON object of arguments by name; say args={…} in the Map")
            return view.body
        return {name: _found(view, value, f"argument {name}") for name, value in self.args.items()}


def _found(view: View, value: Value, what: str) -> Any:
    if isinstance(value, Fixed):
        return value.value
    if isinstance(value, str):
        value = Field(value)
    found = view.at(value.path)
    if isinstance(value, Pick) and found is not MISSING:
        found = value.values.get(found, MISSING) if isinstance(found, str) else MISSING
    if found is MISSING:
        found = value.default
    if found is MISSING:
        known = f" that is one of {', '.join(value.values)}" if isinstance(value, Pick) else ""
        raise BadArguments(f"there is nothing at {value.path}{known}, where the {what} should be")
    return found


def _word(view: View, value: Value, what: str, why: str) -> str:
    try:
        found = _found(view, value, what)
    except BadArguments:
        raise BadInput(f"the message has no {what} {why}") from None
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        raise BadInput(f"the {what} of the message is neither a text nor a whole number")
    return str(found)

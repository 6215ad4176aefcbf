"""From what stands at a task to its limits: which arguments they go by, checked where they are declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.errors import BadArguments, BadLimit, TooLarge
from shike.limit.bounds import KEY_VALUE_CHARS_MAX, LIMITS_PER_TASK_MAX, NAME_CHARS_MAX
from shike.limit.gates import gate_of
from shike.limit.kind import Limit, Scalar

WHOLE_TASK = "*"


class Key:
    """Marks the argument that a task's limits go by where they name none: `tenant: Annotated[str, Key]`.

    `by="*"` means the whole task all the same.
    """


class Named(Struct, frozen=True):
    """A limit under the name by which it is shown and changed: `concurrency:tenant`."""

    name: str
    limit: Limit


class Limits(Struct, frozen=True):
    """The limits of one task, as its code declares them."""

    task: str
    named: tuple[Named, ...]
    args: tuple[str, ...]  # all that any of them goes by, sorted
    defaults: dict[str, Any]  # of those arguments, where they have one

    def gate(self, payload: bytes) -> str:
        """Where a run with these arguments (JSON, by name) waits. Raises `BadArguments` for a value that cannot be a
        key, `TooLarge` for one that is too long."""
        given = msgspec.json.decode(payload) if self.args and payload else {}
        return gate_of(self.task, {name: self._value(name, given) for name in self.args})

    def _value(self, name: str, given: Mapping[str, Any]) -> Scalar:
        value = given.get(name, self.defaults.get(name))
        if value is None:
            raise BadArguments(f"task {self.task!r} is limited by {name!r}: give it a value")
        if not isinstance(value, str | int):
            raise BadArguments(
                f"task {self.task!r} is limited by {name!r}, which is {value!r:.40}: a key is a text or a whole number"
            )
        if isinstance(value, str) and len(value) > KEY_VALUE_CHARS_MAX:
            raise TooLarge(
                f"task {self.task!r} is limited by {name!r}, and this one is too long for a key",
                size=len(value),
                limit=KEY_VALUE_CHARS_MAX,
            )
        return value


def limits_of(task: str, handler: Callable[..., Any], given: Iterable[Limit] | Limit | None) -> Limits | None:
    """The limits of a handler: those given with the task, and those its arguments are annotated with. None: it has
    none. Raises `BadLimit`."""
    if given is not None and not isinstance(given, Limit | Iterable):
        raise BadLimit(f"task {task!r}: limits={given!r:.60} are no limits, such as [Concurrency(4)]", limit=task)
    declared = (given,) if isinstance(given, Limit) else tuple(given or ())
    annotated = _annotated(handler, always=bool(declared))
    signature = inspect.signature(handler)
    keyed = tuple(name for name, marks in annotated.items() if any(_is_key(mark) for mark in marks))
    found = [_going_by(task, one, keyed) for one in declared]
    for name, marks in annotated.items():
        found += [_annotating(task, mark, name) for mark in marks if isinstance(mark, Limit)]
    if not found:
        return None
    if len(found) > LIMITS_PER_TASK_MAX:
        raise BadLimit(f"task {task!r} has {len(found)} limits; at most {LIMITS_PER_TASK_MAX}", limit=task)
    if sum(bool(one.across) for one in found) > 1:
        raise BadLimit(f"task {task!r} takes slots of several pools; at most one", limit=task)
    args = tuple(sorted({name for one in found for name in one.args}))
    for name in args:
        _check_argument(task, name, signature)
    for one in found:
        if one.shared and not one.args and not one.across:
            raise BadLimit(f"task {task!r}: {one.word} needs by=: who shares", limit=one.word)
    defaults = {name: signature.parameters[name].default for name in args}
    return Limits(
        task,
        tuple(named(found)),
        args,
        {name: value for name, value in defaults.items() if value is not inspect.Parameter.empty},
    )


def named(limits: Sequence[Limit]) -> list[Named]:
    """Each under its name: its kind and what it goes by; a second one of the same is `…#2`."""
    found: list[Named] = []
    for limit in limits:
        name = ":".join(filter(None, (limit.word, "+".join(limit.args))))
        if len(name) > NAME_CHARS_MAX:
            raise BadLimit(f"the limit {name[:40]}… goes by too many or too long names", limit=limit.word)
        count = 1 + sum(one.name.partition("#")[0] == name for one in found)
        found.append(Named(name if count == 1 else f"{name}#{count}", limit))
    return found


def _going_by(task: str, limit: Any, keyed: tuple[str, ...]) -> Limit:
    if not isinstance(limit, Limit):
        raise BadLimit(f"task {task!r}: {limit!r:.60} is no limit, such as Concurrency(4)", limit=task)
    if limit.args == (WHOLE_TASK,):
        return _by(limit, ())
    return _by(limit, limit.args or keyed)


def _annotating(task: str, limit: Limit, name: str) -> Limit:
    if limit.args:
        raise BadLimit(f"task {task!r}: the limit on argument {name!r} goes by it; leave out by=", limit=limit.word)
    return _by(limit, (name,))


def _by(limit: Limit, names: tuple[str, ...]) -> Limit:
    return replace(limit, by=names)


def _check_argument(task: str, name: str, signature: inspect.Signature) -> None:
    parameters = signature.parameters
    if any(one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters.values()):
        raise BadLimit(f"task {task!r} takes *args or **kwargs: it cannot be limited by an argument", limit=name)
    if name not in parameters:
        near = get_close_matches(name, parameters, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else f"; it has: {', '.join(parameters) or 'none'}"
        raise BadLimit(f"task {task!r} has no argument {name!r} to be limited by{meant}", limit=name)


def _annotated(handler: Callable[..., Any], *, always: bool) -> dict[str, tuple[Any, ...]]:
    """What each argument is annotated with. Annotations that are texts are read only where they may hold something:
    names that exist for the type checker alone must not stop a task without limits."""
    raw = getattr(handler, "__annotations__", {})
    if not always and not any(_may_hold(annotation) for annotation in raw.values()):
        return {}
    try:
        hints = get_type_hints(handler, include_extras=True)
    except (NameError, TypeError, AttributeError):
        hints = raw
    return {
        name: get_args(hint)[1:] for name, hint in hints.items() if name != "return" and get_origin(hint) is Annotated
    }


def _may_hold(annotation: Any) -> bool:
    return "Annotated" in annotation if isinstance(annotation, str) else get_origin(annotation) is Annotated


def _is_key(mark: Any) -> bool:
    return mark is Key or isinstance(mark, Key)

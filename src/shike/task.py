"""A task: a named handler with its defaults, and how its arguments and results become JSON and back.

Arguments travel as one JSON object by parameter name, so a stored run can be read by people and by a newer
signature. What JSON cannot hold is refused where it is given, never at the worker: NaN, infinities, lone
surrogates, endless nests (`shike.payload`), unknown parameters, wrong types.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from types import UnionType
from typing import Any, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from shike.bounds import ARGS_BYTES_MAX, BAND_DEFAULT, NAME_CHARS_MAX, RESULT_BYTES_MAX, TAGS_MAX
from shike.errors import BadArguments, BadInput, TooLarge
from shike.model import Backoff, Executor, OnUnknown, Route
from shike.payload import to_json

EMPTY = b"{}"
DEFAULT_QUEUE = "default"
QUEUE_SIGNS = ":*,>"
Word = TypeVar("Word", bound=StrEnum)
NO_RESULT = b"null"
SETTINGS = (
    *("name", "queue", "band", "retry", "timeout", "executor", "on_unknown", "keep_result", "expires", "owner"),
    *("route", "tags", "limits", "batch", "window"),
)


class Limited(Protocol):
    """What a definition has to know of its limits: `shike.limit.declared.Limits`."""

    @property
    def args(self) -> tuple[str, ...]:
        """The arguments that they go by."""
        ...

    def gate(self, payload: bytes) -> str:
        """Where a run with these arguments waits for its permits."""
        ...


class Outcome(Struct, frozen=True):
    """What a handler may return instead of a value: `Snooze`, `Retry` or `Cancel`. Never a run's result."""


class Definition:
    """A handler under its name, with what holds for each of its runs unless a run says otherwise."""

    def __init__(
        self,
        name: str,
        handler: Callable[..., Any] | None,
        *,
        executor: Executor | None = None,
        queue: str = "default",
        band: int = BAND_DEFAULT,
        retry: Backoff | None = None,
        timeout_seconds: float = 0.0,
        on_unknown: OnUnknown = OnUnknown.REPEAT,
        keep_result: bool = True,
        expires_seconds: float = 0.0,
        owner: str = "",
        argv: tuple[str, ...] = (),
        route: Route | None = None,
        tags: Sequence[str] = (),
        limits: Limited | None = None,
    ) -> None:
        check_name("task", name)
        check_queue(queue)
        check_owner(owner)
        if not isinstance(keep_result, bool):
            raise BadInput(f"task {name!r}: keep_result={keep_result!r} is neither True nor False")
        if timeout_seconds < 0 or expires_seconds < 0:
            raise BadInput(f"task {name!r}: a time-out or expiry cannot be negative")
        self.name = name
        self.handler = handler
        self.executor = executor or _natural_executor(handler, argv)
        self.queue = queue
        self.band = band
        self.retry = retry or Backoff()
        self.timeout_seconds = timeout_seconds
        self.on_unknown = on_unknown
        self.keep_result = keep_result
        self.expires_seconds = expires_seconds
        self.owner = owner
        self.argv = argv
        self.route = route
        self.tags = check_words(name, tags)
        self.limits = limits
        self.tellers: tuple[
            Definition, ...
        ] = ()  # tasks that tell of the end of each of its runs: `shike.connect.Outlet`
        if self.executor is Executor.ASYNC and not inspect.iscoroutinefunction(handler):
            raise BadInput(f"task {name!r}: only an `async def` handler can run on the event loop")

    @cached_property
    def _shape(self) -> _Shape:
        shape = _Shape(self.handler if self.handler is not None else _takes_nothing)
        if self.executor in (Executor.COMMAND, Executor.HTTP):  # the handler says what to do, not what comes of it
            shape.take_any_result()
        return shape

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """The arguments as JSON; raises `BadArguments` or `TooLarge` if they do not fit the handler."""
        if not args and not kwargs and self._shape.all_optional:
            return EMPTY
        named = self._shape.bind(self.name, args, kwargs)
        payload = to_json(named, f"arguments of task {self.name!r}")
        if len(payload) > ARGS_BYTES_MAX:
            raise TooLarge(
                f"the arguments of task {self.name!r} are {len(payload):,} bytes of JSON; the limit is "
                f"{ARGS_BYTES_MAX:,}. Store the data elsewhere and pass a reference to it",
                size=len(payload),
                limit=ARGS_BYTES_MAX,
            )
        self.decode(payload)
        return payload

    def gate(self, payload: bytes) -> str:
        """Where a run with these arguments waits for its permits; empty: it needs none."""
        return "" if self.limits is None else self.limits.gate(payload)

    def by_name(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as they will be stored, before they are JSON; raises `BadArguments` for others than it has."""
        return self._shape.bind(self.name, args, kwargs)

    def decode(self, payload: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments to call the handler with; raises `BadArguments` if they no longer fit its signature."""
        if (payload == EMPTY or not payload) and self._shape.all_optional:
            return (), {}
        try:
            return self._shape.unbind(payload)
        except Exception as error:  # a user's own types may raise whatever they like
            raise BadArguments(f"the arguments do not fit task {self.name!r}: {error}") from error

    def encode_result(self, value: Any) -> bytes:
        """A handler's return value as JSON; raises `BadArguments` or `TooLarge` where it cannot be kept."""
        if value is None:
            return NO_RESULT
        payload = to_json(value, f"result of task {self.name!r}")
        if len(payload) > RESULT_BYTES_MAX:
            raise TooLarge(
                f"the result of task {self.name!r} is {len(payload):,} bytes; the limit is {RESULT_BYTES_MAX:,}. "
                "Store it elsewhere and return a reference, or set keep_result=False",
                size=len(payload),
                limit=RESULT_BYTES_MAX,
            )
        return payload

    def decode_result(self, payload: bytes) -> Any:
        """The return value again, as the handler's return annotation says; raises `BadArguments` if it said wrong."""
        try:
            return self._shape.decode_result(payload)
        except Exception as error:  # a user's own types may raise whatever they like
            raise BadArguments(f"the result of task {self.name!r} is not what it says it returns: {error}") from error


def check_name(what: str, name: str) -> None:
    """Names are index keys, file names and command-line words: short, printable, without spaces or control signs."""
    if not isinstance(name, str) or not name:
        raise BadInput(f"a {what} needs a name")
    if len(name) > NAME_CHARS_MAX:
        raise TooLarge(
            f"the {what} name {name[:40]!r}… is too long (at most {NAME_CHARS_MAX})",
            size=len(name),
            limit=NAME_CHARS_MAX,
        )
    if not name.isprintable() or any(sign.isspace() for sign in name):
        raise BadInput(f"the {what} name {name!r} holds spaces or unprintable signs")


def check_queue(name: str) -> None:
    """As `check_name`; and without the signs that mean something where a worker is told what to serve."""
    check_name("queue", name)
    if any(sign in name for sign in QUEUE_SIGNS):
        raise BadInput(f"the queue name {name!r} holds one of {' '.join(QUEUE_SIGNS)}, as in --queues mail:10*3,bulk")


def check_words(task: str, tags: Sequence[str]) -> tuple[str, ...]:
    """The tags of a task: short words, by which several tasks are named together."""
    if isinstance(tags, str) or not isinstance(tags, Sequence):
        raise BadInput(f"task {task!r}: tags={tags!r}: give several words: tags=['billing', 'night']")
    if len(tags) > TAGS_MAX:
        raise BadInput(f"task {task!r}: {len(tags)} tags are more than {TAGS_MAX}")
    for tag in tags:
        check_name("tag", tag)
    return tuple(dict.fromkeys(tags))


def check_owner(owner: str) -> str:
    """An owner is shown beside dead letters: a short text."""
    if not isinstance(owner, str) or not is_text(owner):
        raise BadInput(f"owner={owner!r} is no text that can be stored")
    if len(owner) > NAME_CHARS_MAX:
        raise TooLarge(f"an owner may have {NAME_CHARS_MAX} characters", size=len(owner), limit=NAME_CHARS_MAX)
    return owner


def is_text(value: str) -> bool:
    """Whether UTF-8 can hold it: a lone surrogate is half a sign."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def member(kind: type[Word], word: Any) -> Word:
    """The member of an enum that a word names; raises `BadInput`, which tells them all."""
    try:
        return kind(word)
    except ValueError:
        raise BadInput(f"{word!r} is no {kind.__name__}: {', '.join(kind)}") from None


def _natural_executor(handler: Callable[..., Any] | None, argv: tuple[str, ...]) -> Executor:
    if argv:
        return Executor.COMMAND
    return Executor.ASYNC if inspect.iscoroutinefunction(handler) else Executor.THREAD


def _takes_nothing() -> None: ...


def _takes_more(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def _decode_other(wanted: type, value: Any) -> Any:
    validate = getattr(wanted, "model_validate", None)
    if validate is not None:
        return validate(value)
    if isinstance(value, wanted):
        return value
    raise TypeError(f"cannot make a {wanted.__qualname__} of {type(value).__qualname__}")


class _Shape:
    """A handler's signature, compiled once to a struct that msgspec decodes and checks at C speed."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self.signature = inspect.signature(handler)
        hints = _hints_of(handler)
        kinds = [parameter.kind for parameter in self.signature.parameters.values()]
        self._variadic = any(kind in (kind.VAR_POSITIONAL, kind.VAR_KEYWORD) for kind in kinds)
        self._by_name = [p.name for p in self.signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
        self._in_order = [
            p.name for p in self.signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        required = [p for p in self.signature.parameters.values() if p.default is p.empty and not _takes_more(p)]
        self.all_optional = not required
        self._required = {p.name for p in required}
        self._is_plain = not self._variadic and all(kind is not kind.POSITIONAL_ONLY for kind in kinds)
        self._decoder = self._compile(hints)
        self._result_decoder = _decoder_of(_without_outcomes(hints.get("return", Any)))

    def _compile(self, hints: dict[str, Any]) -> msgspec.json.Decoder[Any]:
        if self._variadic:
            return msgspec.json.Decoder(dict[str, Any])
        fields: list[Any] = [
            (p.name, hints.get(p.name, Any))
            if p.default is p.empty
            else (p.name, hints.get(p.name, Any), msgspec.field(default_factory=lambda default=p.default: default))  # type: ignore[misc]
            for p in self.signature.parameters.values()
        ]
        try:
            shape = msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)
            return msgspec.json.Decoder(shape, dec_hook=_decode_other)
        except (TypeError, ValueError, NameError):  # an annotation msgspec cannot check: take the values as they come
            loose = [(field[0], Any, *field[2:]) for field in fields]
            shape = msgspec.defstruct("Arguments", loose, kw_only=True, forbid_unknown_fields=True)
            return msgspec.json.Decoder(shape)

    def bind(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name, in the order of the signature."""
        if self._is_plain and len(args) <= len(self._in_order):
            given = dict(zip(self._in_order, args, strict=False))
            named = self._with_named(given, kwargs) if kwargs else given
            if named is not None and self._required <= named.keys():
                return named
        try:  # what does not fit, `inspect` says best
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise BadArguments(f"task {name!r}{self.signature} cannot be called so: {error}") from None
        if not self._variadic:
            return bound.arguments
        return {"*": list(bound.args), "**": dict(bound.kwargs)}

    def _with_named(self, named: dict[str, Any], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
        """None where a name is unknown or given twice."""
        if not named.keys().isdisjoint(kwargs):
            return None
        given = {name: kwargs[name] for name in (*self._in_order, *self._by_name) if name in kwargs}
        return named | given if len(given) == len(kwargs) else None

    def unbind(self, payload: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        values = self._decoder.decode(payload)
        if self._variadic:
            return tuple(values.get("*", ())), values.get("**", {})
        if not self._by_name:
            return msgspec.structs.astuple(values), {}
        named = {name: getattr(values, name) for name in self._by_name}
        return tuple([getattr(values, name) for name in self._in_order]), named

    def take_any_result(self) -> None:
        """Whatever the handler's annotation says."""
        self._result_decoder = msgspec.json.Decoder(Any)

    def decode_result(self, payload: bytes) -> Any:
        return self._result_decoder.decode(payload) if payload else None


def _hints_of(handler: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(handler)
    except (NameError, TypeError, AttributeError):  # names that exist only for the type checker
        return {}


def _without_outcomes(annotation: Any) -> Any:
    """What a result can be, of what a handler may return."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    kinds = [kind for kind in get_args(annotation) if not (isinstance(kind, type) and issubclass(kind, Outcome))]
    return Union[tuple(kinds)] if kinds else Any  # noqa: UP007 - not known before


def _decoder_of(annotation: Any) -> msgspec.json.Decoder[Any]:
    try:
        return msgspec.json.Decoder(annotation, dec_hook=_decode_other)
    except (TypeError, ValueError):
        return msgspec.json.Decoder(Any)

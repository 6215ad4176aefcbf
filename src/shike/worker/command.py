"""What a command task runs: a program and its arguments, never a line for a shell to take apart."""

from __future__ import annotations

import inspect
import os
import pwd
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from shike.errors import BadArguments
from shike.payload import to_json
from shike.task import Definition
from shike.worker.context import Context
from shike.worker.executor import Call

PLACEHOLDER = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|\{([A-Za-z_]\w*)\}", re.ASCII)
PREFIX = "SHIKE_"


class Command(Struct, frozen=True, kw_only=True):
    """A program to run. A command task without an `argv` has a handler that returns one of these; it is called on
    the event loop, so it only puts together what it was given.

    `env` is added to what the program inherits. `user`: run as that user, with that user's groups and HOME, which
    only root may ask for.
    """

    argv: tuple[str, ...]
    env: dict[str, str] = {}
    stdin_text: str = ""
    user: str = ""
    cwd: str = ""


def command_of(call: Call) -> Command:
    """The command of a call. Raises `BadArguments` where placeholders and arguments do not fit."""
    definition = call.definition
    if definition.argv:
        named = _by_name(call)
        return Command(argv=tuple([fill(part, named) for part in definition.argv]))
    command = definition.handler(*call.args, **call.kwargs) if definition.handler is not None else None
    if not isinstance(command, Command) or not command.argv:
        raise BadArguments(
            f"command task {definition.name!r} needs an argv, or a handler that returns a Command; "
            f"it gave {type(command).__name__}"
        )
    return command


def fill(part: str, values: Mapping[str, Any]) -> str:
    """One element of an argv with each `{name}` replaced; it stays one element, whatever the value holds.

    `{{name}}` stands for the text `{name}`; other braces are left alone. A value that begins with `-` can still be
    read as an option by the program: put `--` before it in the argv. Raises `BadArguments`.
    """

    def value_of(match: re.Match[str]) -> str:
        literal, name = match.groups()
        if literal:
            return f"{{{literal}}}"
        if name not in values:
            known = ", ".join(sorted(values)) or "it has none"
            raise BadArguments(
                f"{part!r} names the argument {name!r}, which the task does not have ({known}); "
                f"write {{{{{name}}}}} if the braces are meant"
            )
        return _text(name, values[name])

    return PLACEHOLDER.sub(value_of, part)


def takes(argv: Sequence[str]) -> Callable[..., None]:
    """A handler for an argv without one: it takes, by name, exactly what the placeholders name, so that a call with
    other arguments is refused when it is submitted."""
    names = dict.fromkeys(name for part in argv for _, name in PLACEHOLDER.findall(part) if name)

    def named(**arguments: Any) -> None: ...

    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=Any) for name in names]
    named.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    named.__annotations__ = dict.fromkeys(names, Any)
    return named


def check_argv(definition: Definition) -> None:
    """Refuse a definition whose argv names arguments that its handler does not take. Raises `BadArguments`."""
    parameters = inspect.signature(definition.handler).parameters if definition.handler is not None else {}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for part in definition.argv:
        fill(part, dict.fromkeys(parameters, ""))


def environment(command: Command, context: Context) -> dict[str, str]:
    """What the program inherits, without Shike's own settings (they may hold passwords), and what it may know."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    moment = context.moment
    return {
        **inherited,
        **_home_of(command.user),
        **command.env,
        "SHIKE_RUN_ID": context.id,
        "SHIKE_TOKEN": str(context.token),
        "SHIKE_ATTEMPT": str(context.attempt),
        "SHIKE_MOMENT": moment.isoformat() if moment is not None else "",
        "SHIKE_IDEMPOTENCY_KEY": context.idempotency_key,
    }


def _by_name(call: Call) -> Mapping[str, Any]:
    handler = call.definition.handler
    if handler is None:
        return {}
    signature = inspect.signature(handler)
    bound = signature.bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    named = dict(bound.arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            named |= named.pop(parameter.name)
    return named


def _text(name: str, value: Any) -> str:
    if value is None:
        raise BadArguments(f"the argument {name!r} is None, which a command line cannot say")
    if not isinstance(value, str):
        payload = to_json(value, f"argument {name!r}")
        plain = msgspec.json.decode(payload)  # a date, for one, becomes a string
        value = plain if isinstance(plain, str) else payload.decode()
    if "\0" in value:
        raise BadArguments(f"the argument {name!r} holds a NUL character, which no command line can")
    return str(value)


def _home_of(user: str) -> dict[str, str]:
    if not user:
        return {}
    return {"HOME": account(user).pw_dir, "LOGNAME": user, "USER": user}


def account(user: str) -> pwd.struct_passwd:
    """The account of that name on this machine; raises `BadArguments` if there is none."""
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise BadArguments(f"there is no user {user!r} on this machine") from None

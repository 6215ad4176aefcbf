"""docs/cli.md: every command with its options, from the code. `python -m shike.cli.reference` prints it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from cyclopts import App

from shike.cli.root import COMMANDS

COMMON = ("--store", "--namespace", "--app", "--json", "--debug")
HEAD = """# The command line

<!-- Generated from the code; `tests/unit/cli/test_reference.py` keeps it so. -->

Install it with `pip install 'shike[cli]'`. Exit codes: **0** well, **1** something found (a hole, a failed run, a
warning), **2** bad usage or input, **3** store trouble. Errors are one sentence; `--debug` adds the traceback.

Commands that open a store take `--store URL`, `--namespace NAME`, `--app MODULE:ATTRIBUTE`, `--json` and `--debug`;
what is not given comes from the [settings](settings.md). Times are `now`, `today`, `09:30`, `2026-11-23 09:30`,
ISO 8601 with an offset, `in 2h` or `2h ago`.
"""


def markdown() -> str:
    """The whole page."""
    parts = [HEAD]
    for name, (where, _) in COMMANDS.items():
        module, _, attribute = where.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, App):
            for sub in sorted(found):
                if not sub.startswith("-"):
                    parts.append(_section(f"{name} {sub}", found[sub]))
        else:
            app = App(name=name, version_flags=[], help_flags=[])
            app.default(found)
            parts.append(_section(name, app))
    return "\n".join(parts)


def _section(name: str, app: App) -> str:
    function = app.default_command
    assert function is not None
    arguments = list(app.assemble_argument_collection(parse_docstring=False))
    places = " ".join(_place(argument) for argument in arguments if _is_place(argument))
    lines = [f"## `shike {name}{f' {places}' if places else ''}`", "", inspect.getdoc(function) or "", ""]
    options = list(_options(arguments))
    if options:
        lines += ["| option | default | meaning |", "|---|---|---|", *options, ""]
    return "\n".join(lines)


def _options(arguments: list[Any]) -> Iterator[str]:
    for argument in arguments:
        names = [name for name in argument.names if name.startswith("--")]
        if _is_place(argument) or not names or names[0] in COMMON:
            continue
        yield f"| `{names[0]}` | {_default(argument)} | {_escaped(argument.parameter.help or '')} |"


def _escaped(text: str) -> str:
    return text.replace("*", "\\*").replace("|", "\\|")


def _is_place(argument: Any) -> bool:
    return argument.index is not None and not any(name.startswith("--") for name in argument.names)


def _place(argument: Any) -> str:
    name = (argument.names[0] if argument.names else argument.field_info.name).upper()
    is_many = argument.field_info.kind is inspect.Parameter.VAR_POSITIONAL
    optional = is_many or argument.field_info.default is not inspect.Parameter.empty
    shown = f"{name}…" if is_many else name
    return f"[{shown}]" if optional else shown


def _default(argument: Any) -> str:
    default = argument.field_info.default
    if default is inspect.Parameter.empty:
        return "required"
    if default in (None, "", (), False):
        return ""
    return f"`{default}`"


if __name__ == "__main__":
    print(markdown(), end="")

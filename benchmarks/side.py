"""The child program of every measure: one system in one process, told what to do by lines of JSON.

`python -m benchmarks.side SYSTEM FOLDER [COMMAND …]` carries out the commands of its own line first, then those of
standard input, and answers each with one line. `work` never returns: from then on, commands are read on a thread.
`front` never returns either, and hears no more commands. It imports little, since start-up is one of the measures.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from benchmarks.systems import SYSTEMS, System

_statements = [0]


def _count_statements() -> None:
    """Count every statement of every SQLite connection that is made from here on."""
    import sqlite3

    connect: Any = sqlite3.connect

    def counting(*args: Any, **settings: Any) -> Any:
        connection = connect(*args, **settings)
        connection.set_trace_callback(_count_one)
        return connection

    sqlite3.connect = counting


def _count_one(_statement: str) -> None:
    _statements[0] += 1


def _answer(**facts: Any) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _submit(system: System, command: dict[str, Any]) -> None:
    numbers = range(command["first"], command["first"] + command["count"])
    began = time.perf_counter()
    match command.get("way", "one"):
        case "bulk":
            system.submit_bulk(command["body"], numbers)
        case "crowd":
            system.submit_crowd(command["body"], numbers)
        case _:
            system.submit(command["body"], numbers, command.get("due"))
    _answer(seconds=time.perf_counter() - began)


def _drip(system: System, command: dict[str, Any]) -> None:
    """Submit one at each of the given pauses and say when each was about to be submitted."""
    stamps_ns = []
    for number, pause_seconds in enumerate(command["pauses"]):
        time.sleep(pause_seconds)
        stamps_ns.append(time.time_ns())
        system.submit(command["body"], range(number, number + 1), None)
    _answer(stamps_ns=stamps_ns)


def _obey(system: System, lines: Iterable[str]) -> str:
    """Carry out commands until one of them never ends: `work` or `front`; none: an empty word."""
    for line in lines:
        command = json.loads(line)
        match command["do"]:
            case "work" | "front" as endless:
                return str(endless)
            case "ask":
                numbers = range(command["first"], command["first"] + command["count"])
                _answer(seconds=system.ask(command["body"], numbers))
            case "submit":
                _submit(system, command)
            case "drip":
                _drip(system, command)
            case "preload":
                system.preload(command["count"], command["due"])
                _answer(preloaded=command["count"])
            case "plan":
                system.plan(command["first"], command["count"], command["start"], command["per_second"])
                _answer(planned=command["count"])
            case "known":
                system.submit_known(command["key"])
                _answer(known=None)
            case "kept":
                _answer(kept=system.kept(command["key"]))
            case "statements":
                _answer(statements=_statements[0])
            case unknown:
                raise ValueError(f"no command {unknown!r}")
    return ""


def _take_stdin() -> TextIO:
    """Standard input for ourselves: a library that forks closes `sys.stdin` in its child, and would wait there for
    ever for the lock that our reading thread holds."""
    lines = os.fdopen(os.dup(0), encoding="utf-8")
    sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - until the process ends
    return lines


def _obey_apart(system: System, lines: TextIO) -> None:
    """Obey on a thread while the main thread works; an error there ends the whole child, so that it is heard."""
    try:
        _obey(system, lines)
    except Exception as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(1)


def main() -> None:
    name, folder, *commands = sys.argv[1:]
    if "--count-statements" in commands:
        commands.remove("--count-statements")
        _count_statements()
    system = SYSTEMS[name].open(Path(folder))
    if not commands:
        _answer(ready=True)
    lines = _take_stdin()
    endless = _obey(system, commands) or _obey(system, lines)
    if endless == "front":
        from benchmarks.front import serve

        serve(system, lambda port: _answer(port=port))
    elif endless:
        threading.Thread(target=_obey_apart, args=(system, lines), daemon=True).start()
        system.work()


if __name__ == "__main__":
    main()

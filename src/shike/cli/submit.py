"""`shike submit`: store one run of a task, checked against the handler's signature."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.cli.times import when
from shike.cli.where import ANYWHERE, Desk, Where, at_desk, served
from shike.errors import BadInput, RunFailed, WaitTimeout
from shike.trigger.duration import parse_duration


def submit(
    task: str,
    /,
    *words: str,
    args: Annotated[str, Parameter(help="All arguments as a JSON object, or a list of positional ones.")] = "",
    at: Annotated[str, Parameter(help="Due at this time.")] = "",
    in_: Annotated[str, Parameter(name="--in", help="Due so long from now, such as 10m.")] = "",
    key: Annotated[str | None, Parameter(help="Business key: a second submit with it stores nothing.")] = None,
    queue: Annotated[str | None, Parameter(help="Another queue than the task's.")] = None,
    band: Annotated[int | None, Parameter(help="Priority band: 0 first … 7.")] = None,
    wait: Annotated[str, Parameter(help="Wait so long for the result, such as 30s.")] = "",
    where: Where = ANYWHERE,
) -> int:
    """Store one run: `shike submit mail.send order=5 what="thank you"`.

    A value is read as JSON where it is JSON (5, true, [1,2], "5") and as text where it is not. The app is needed
    (--app, SHIKE_APP, shike.toml): it knows what the task takes. With --wait, exit code 1 if the run fails.
    """
    if at and in_:
        raise BadInput("--at and --in exclude each other")
    positional, named = _arguments(args, words)
    parse_duration(wait or 0)  # before anything is stored

    async def work(desk: Desk) -> dict[str, Any]:
        assert desk.app is not None
        chosen = desk.app.find_task(task).options(key=key, queue=queue, band=band)
        chosen = chosen.at(when(at)) if at else chosen.in_(in_) if in_ else chosen
        handle = await chosen.submit(*positional, **named)
        answer: dict[str, Any] = {"run": handle.id, "fresh": handle.fresh}
        if queue and queue not in [share.name for share in served(desk.loaded, desk.app)]:
            print(f"note: nothing in the app names queue {queue}; a worker serves it if --queues does", file=sys.stderr)
        try:
            if wait:
                answer["result"] = await handle.wait(wait)
        except RunFailed as failed:
            if not where.json:
                raise
            answer |= {"state": failed.state, "reason": failed.reason}
        except WaitTimeout as waited:
            if not where.json:
                raise
            answer |= {"reason": str(waited)}
        return answer

    answer = at_desk(where, work, needs_app=True)
    if where.json:
        output.as_json(answer)
        return FOUND if "reason" in answer else FINE
    print(f"run {answer['run']}" + ("" if answer["fresh"] else " was there before, under the same key"))
    if wait:
        print(msgspec.json.encode(answer["result"], enc_hook=str).decode())
    return FINE


def _arguments(packed: str, words: tuple[str, ...]) -> tuple[list[Any], dict[str, Any]]:
    positional, named = _packed(packed)
    for word in words:
        name, separator, text = word.partition("=")
        if not separator or not name.isidentifier():
            raise BadInput(f"{word!r} is no argument; write name=value, or --args '{{\"name\": …}}'")
        if name in named:
            raise BadInput(f"the argument {name} is given twice")
        named[name] = _value(text)
    return positional, named


def _packed(packed: str) -> tuple[list[Any], dict[str, Any]]:
    if not packed:
        return [], {}
    try:
        value = msgspec.json.decode(packed)
    except msgspec.DecodeError as error:
        raise BadInput(f"--args is not JSON: {error}") from error
    if isinstance(value, dict):
        return [], value
    if isinstance(value, list):
        return value, {}
    raise BadInput("--args is a JSON object of named arguments, or a list of positional ones")


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):  # bytes that are no text are refused where JSON is written
        return text

"""What the type checker has to understand. Never run: `tests/unit/test_typing.py` hands it to mypy --strict."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

import shike
from shike.call import AsyncTask, SyncTask
from shike.connect.alarms import Dead, Slack
from shike.events import Event
from shike.graph import Node
from shike.testing import harness

app = shike.Shike("memory://")


@dataclass
class Letter:
    to: str
    words: str


@app.task
async def send(user: int, words: str = "") -> bool:
    return True


@app.task
def count(names: list[str]) -> int:
    return len(names)


@app.task(retry=5, timeout="10s")
async def post(letter: Letter) -> Letter:
    return letter


@app.task()
def nothing() -> None: ...


@app.task(queue="mail")
async def patient(user: int) -> str | shike.Snooze | shike.Retry:
    return shike.Snooze(5.0) if user else "done"


@app.task
def careful() -> int | shike.Outcome:
    return shike.Cancel("not needed")


@app.task
def quiet() -> shike.Retry | None:
    return None


# Decorated, a handler keeps its parameters, and says whether it has to be awaited.
send_type: AsyncTask[..., bool] = send
count_type: SyncTask[..., int] = count
assert_type(count(["a"]), int)
assert_type(nothing(), None)
send_call: Callable[[int], Coroutine[Any, Any, bool]] = send

# What is submitted gives a handle to the handler's result.
assert_type(send.submit(1), shike.Handle[bool])
assert_type(count.submit(names=["a"]).result(), int)
assert_type(post.submit(Letter("ada", "hello")).result("1m"), Letter)
assert_type(nothing.submit(), shike.Handle[None])
assert_type(send.handle("7"), shike.Handle[bool])
assert_type(count.submit(["a"]).id, str)

# A graph is made of calls, and a promised result is of the type that the handler returns.
graph = app.graph()
letters = graph.add(post.bind(Letter("ada", "hello")))
again = graph.add(post.bind(letters.result), approval="1d").after(letters)
assert_type(letters, Node[Letter])
assert_type(letters.result, Letter)
assert_type(graph.add(count.bind([again.result.to])).when(again, "yes").handle.result(), int)

assert_type(graph.split(count, ["a", "b"], grain=1), list[Node[int]])

# An outcome is not a result.
assert_type(patient.submit(1).result(), str)
assert_type(careful.submit().result(), int)
assert_type(quiet.submit(), shike.Handle[None])

# Settings keep the task's type.
assert_type(count.options(key="k", retry=3).submit(["a"]), shike.Handle[int])
assert_type(count.at(datetime.now(UTC)).in_(timedelta(hours=1)).submit(["a"]), shike.Handle[int])
assert_type(send.in_("10m").options(band=0).bind(1), shike.Call[bool])
assert_type(post.bind(Letter("ada", "hello")), shike.Call[Letter])
assert_type(app.submit_many([send.bind(1), send.bind(2)])[0].result(), bool)


async def in_async_code() -> None:
    handle = await send.submit(1)
    assert_type(handle, shike.Handle[bool])
    assert_type(await handle.wait(timeout="1m"), bool)
    assert_type(await post(Letter("ada", "hello")), Letter)
    assert_type((await app.submit_many([count.bind(["a"])]))[0], shike.Handle[int])
    async with app.running():
        pass


@app.on("run.ended")
def heard(event: Event) -> None: ...


@app.on("*")
async def heard_later(event: Event) -> None: ...


heard(Event(event="run.ended"))


@shike.traced
def priced(order: int) -> str:
    return str(order)


@shike.traced(name="fetch")
async def fetched(order: int) -> bytes:
    return bytes(order)


async def in_steps() -> None:
    with shike.step("all of it"):
        text: str = priced(7)
        body: bytes = await fetched(7)
        print(text, body)


app.schedule(send.bind(1), cron="0 9 * * *", tz="Asia/Shanghai")
app.schedule(nothing, shike.every("10s"))
app.alarm(Dead(), Slack("https://hooks.example.com/x"), repeat="1h")

with harness(app) as h:
    assert_type(h.submit(count.bind(["a"])).result(), int)
    assert_type(h.submit(nothing), shike.Handle[None])
    assert_type(h.now, datetime)


# Divided work.
@app.task(batch=100, window="50ms", retry=3)
async def doubled(numbers: list[int]) -> list[float]:
    return [2.0 * number for number in numbers]


@app.task(batch=10)
async def noted(letters: list[Letter]) -> None: ...


@app.task
async def total(counts: list[int]) -> str:
    return str(sum(counts))


assert_type(doubled.submit(1), shike.Handle[float])
assert_type(noted.submit(Letter("ada", "hello")).result(), None)
assert_type(app.broadcast(nothing.bind())[0], shike.Handle[None])
assert_type(app.graph().map_reduce(count, ["a"], total).result, str)
assert_type(app.graph().shards(count, ["a"])[0].result, int)

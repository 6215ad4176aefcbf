"""What the type checker has to refuse: each line with `# wrong` and the code of its error, and no other line."""

from __future__ import annotations

from datetime import datetime

import shike

app = shike.Shike("memory://")


@app.task
async def send(user: int, words: str = "") -> bool:
    return True


@app.task(retry=5)
def count(names: list[str]) -> int:
    return len(names)


send.submit("ada")  # wrong: arg-type
send.submit()  # wrong: call-arg
send.submit(1, 2)  # wrong: arg-type
send.submit(user=1, word="hi")  # wrong: call-arg
send.bind(user="ada")  # wrong: arg-type
send.in_("10m").submit("ada")  # wrong: arg-type
send.at("10:00")  # wrong: arg-type
send.options(key=7)  # wrong: arg-type
send.options(colour="red")  # wrong: call-arg
count.submit(7)  # wrong: arg-type
count.submit([7])  # wrong: list-item
count.submit(names="ada")  # wrong: arg-type
count(7)  # wrong: arg-type
words: str = count.submit(["a"]).result()  # wrong: assignment
when: datetime = count.submit(["a"]).id  # wrong: assignment
send.handle(7)  # wrong: arg-type
node = app.graph().add(send.bind(1))
count.bind(node.result)  # wrong: arg-type
node.after(send)  # wrong: arg-type
node.when(node, 7)  # wrong: arg-type
app.graph().split(count, [1])  # wrong: arg-type
app.graph().add(send)  # wrong: arg-type
shike.Jbo  # wrong: attr-defined


@app.task(retry="often")  # wrong: call-overload
def often() -> None: ...


@app.task(colour="red")  # wrong: call-overload
def red() -> None: ...


app.on("run.finished")  # wrong: call-overload


@shike.traced
def priced(order: int) -> str:
    return str(order)


priced("7")  # wrong: arg-type


@app.on("run.ended")  # wrong: type-var
def heard(words: str) -> None: ...


async def in_async_code() -> None:
    send(1)  # wrong: unused-coroutine
    number: int = await send(1)
    text: str = await (await send.submit(1)).wait()  # wrong: assignment
    print(number, text)


@app.task(batch=5)
async def doubled(numbers: list[int]) -> list[int]:
    return numbers


doubled.submit("one")  # wrong: arg-type
doubled.submit([1])  # wrong: arg-type
app.broadcast(send)  # wrong: arg-type

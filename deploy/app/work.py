"""The app of the compose file: put your own tasks here, or name another file in SHIKE_APP."""

from __future__ import annotations

from shike import Shike
from shike.connect.alarms import Backlog, Dead, NoWorker

app = Shike()


@app.task(name="hello", retry=3)
async def hello(who: str = "world") -> str:
    return f"hello {who}"


app.schedule(hello, every="1m", name="hello")
app.alarm(Dead())
app.alarm(NoWorker("2m"))
app.alarm(Backlog("5m"))

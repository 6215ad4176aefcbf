"""Three time-outs: a heartbeat that stops, a session that falls asleep, a request that is never answered.

Shows three ways to wait for something that should not happen:
- heartbeat: one run per device that *snoozes* until the device would be late, however often the device beats;
- session: a *sweep* each minute over all sessions, in one statement;
- request: a delayed run that is *cancelled* by the answer.

    shike up examples/time_outs.py
    python examples/time_outs.py               # in another terminal: one of each, and then silence
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import shike

SILENT_AFTER = timedelta(seconds=30)
ASLEEP_AFTER = timedelta(minutes=20)
ANSWER_WITHIN = timedelta(seconds=5)

app = shike.Shike("sqlite:///time_outs.db")


def state() -> sqlite3.Connection:
    db = sqlite3.connect("time_outs_state.db", timeout=10)
    db.execute("create table if not exists devices (name text primary key, seen_at text, state text)")
    db.execute("create table if not exists sessions (user text primary key, used_at text)")
    db.execute("create table if not exists requests (name text primary key, state text, timer text)")
    return db


# ---- heartbeat


def beat(device: str) -> None:
    """A device says that it is alive. The first beat, and the first after a silence, set a watch."""
    with closing(state()) as db, db:
        known = db.execute("select 1 from devices where name = ? and state = 'alive'", (device,)).fetchone()
        db.execute("insert or replace into devices values (?, ?, 'alive')", (device, app.now().isoformat()))
    if not known:
        watch.in_(SILENT_AFTER).submit(device)


@app.task
def watch(device: str) -> str | shike.Snooze:
    """Wait until a device has been silent for too long."""
    with closing(state()) as db, db:
        (seen_at,) = db.execute("select seen_at from devices where name = ?", (device,)).fetchone()
        left = datetime.fromisoformat(seen_at) + SILENT_AFTER - app.now()
        if left > timedelta(0):
            return shike.Snooze.for_(left)
        db.execute("update devices set state = 'silent' where name = ?", (device,))
    return f"{device} is silent since {seen_at}"


# ---- session


def use(user: str) -> None:
    """A user does something."""
    with closing(state()) as db, db:
        db.execute("insert or replace into sessions values (?, ?)", (user, app.now().isoformat()))


@app.task(keep_result=False)
def end_sleeping_sessions() -> None:
    with closing(state()) as db, db:
        db.execute("delete from sessions where used_at < ?", ((app.now() - ASLEEP_AFTER).isoformat(),))


app.schedule(end_sleeping_sessions, every="1m", misfire="skip")


# ---- request


def ask(request: str) -> None:
    """Send a question to somebody who may never answer."""
    timer = give_up.in_(ANSWER_WITHIN).submit(request)
    with closing(state()) as db, db:
        db.execute("insert into requests values (?, 'asked', ?)", (request, timer.id))


def answered(request: str) -> None:
    """The answer came: the timer is not needed any more."""
    with closing(state()) as db, db:
        db.execute("update requests set state = 'answered' where name = ? and state = 'asked'", (request,))
        (timer,) = db.execute("select timer from requests where name = ?", (request,)).fetchone()
    give_up.handle(timer).cancel()


@app.task
def give_up(request: str) -> None:
    with closing(state()) as db, db:
        db.execute("update requests set state = 'no answer' where name = ? and state = 'asked'", (request,))


if __name__ == "__main__":
    beat("thermometer")
    use("ada")
    ask("ping")
    print("they time out after 30 s, 20 min and 5 s: `shike runs list --app examples/time_outs.py`")

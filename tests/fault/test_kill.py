"""Real processes on one SQLite file, killed, stopped, blocked and crowded: what the promises say holds."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shike import Shike
from shike.bounds import CRASHES_MAX
from shike.model import Ended, Fate, Session, SessionState, State, TimetableRow
from shike.store.base import Store
from tests import bounded
from tests.fault.kill_app import TICK_SECONDS, build

PATIENCE = 20.0  # seconds after which a test is stuck
LONG_LEASE = 60.0  # so that whatever heals within PATIENCE did not wait for a lease
SHORT_LEASE = 1.0
HALVINGS_MAX = 4  # until one of ten that are under way is alone
MICROS = 1_000_000


class Site:
    """One store, one file of notes, and the processes on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes_file = folder / "notes"
        self.app: Shike = build(str(folder / "shike.db"), str(self.notes_file))
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, role: str, *, slots: int = 10, lease: float = LONG_LEASE, ticks: bool = False) -> Any:
        words = [str(self.folder / "shike.db"), str(self.notes_file), role, str(slots), str(lease)]
        command = [sys.executable, "-m", "tests.fault.kill_app", *words, *(["ticks"] if ticks else [])]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=log)
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in self.processes:
            bounded.killed(process)
        bounded.done(self.app.client.close_sync, "closing the store")

    def notes(self, kind: str) -> list[tuple[int, int, int]]:
        """(number, token, pid) of each note of a kind, in order."""
        lines = [line.split() for line in self.notes_file.read_text().splitlines()]
        return [(int(n) if n != "-" else 0, int(token), int(pid)) for word, n, token, pid in lines if word == kind]

    def ask(self, question: Callable[[Store], Any]) -> Any:
        """The answer of the store."""

        async def asked() -> Any:
            return await question(await self.app.client.store())

        return self.app.client.sync(asked())

    def submit(self, task: str, calls: list[dict[str, Any]]) -> list[int]:
        handles = self.app.submit_many([self.app.find_task(task).bind(**call) for call in calls])
        return [int(handle.id) for handle in handles]

    def ended(self, run_id: int) -> Ended | None:
        found = self.ask(lambda store: store.find(run_id))
        return found if isinstance(found, Ended) else None

    def sessions(self) -> list[Session]:
        return list(self.ask(lambda store: store.sessions(all=True)))

    def session_of(self, process: Any) -> Session | None:
        return next((one for one in self.sessions() if one.pid == process.pid and one.kind != "client"), None)

    def timetable(self) -> list[TimetableRow]:
        return list(self.ask(lambda store: store.timetable("default/ticks", 0, 1 << 62)))

    def until(self, what: Callable[[], object], why: str, patience: float = PATIENCE) -> None:
        """Wait for something to become true."""
        deadline = time.monotonic() + patience
        while not what():
            assert time.monotonic() < deadline, f"{why}\n{(self.folder / 'log').read_text()[-3_000:]}"
            time.sleep(0.02)

    def up(self, *processes: Any) -> None:
        self.until(lambda: all(self.session_of(one) for one in processes), "a process did not join")


def test_a_killed_worker_loses_nothing_and_repeats_no_more_than_it_held(site: Site) -> None:
    """P1, P3, P4 and P5, with a lease of a minute: a dead process is noticed at once."""
    slots, runs = 10, 120
    site.start("node")
    victim, other = site.start("worker", slots=slots), site.start("worker", slots=slots)
    site.up(victim, other)
    ids = site.submit("work", [{"n": n, "seconds": 0.1} for n in range(runs)])
    site.until(lambda: sum(pid == victim.pid for *_, pid in site.notes("end")) >= slots, "the victim does not work")
    bounded.killed(victim)
    begun = {n for n, _, pid in site.notes("begin") if pid == victim.pid}
    in_flight = begun - {n for n, _, pid in site.notes("end") if pid == victim.pid}
    site.until(lambda: all(site.ended(one) for one in ids), "runs were lost")

    for number, run_id in enumerate(ids):
        ended = site.ended(run_id)
        assert ended is not None and (ended.state, ended.attempts) == (State.SUCCESS, 1)
        tokens = [token for n, token, _ in site.notes("begin") if n == number]
        assert tokens == sorted(set(tokens)) and ended.token == tokens[-1], "each repeat has a higher token"
    repeats = sum(Counter(n for n, *_ in site.notes("begin")).values()) - runs
    assert len(in_flight) <= repeats <= 2 * slots + len(in_flight), "what had ended may have died unacknowledged"
    assert {n for n, _, pid in site.notes("begin") if pid == other.pid} >= in_flight


@pytest.mark.slow
def test_a_killed_scheduler_leaves_no_moment_out_and_makes_none_twice(site: Site) -> None:
    """P1 and P7: three processes, one after the other, each killed while moments are planned and run."""
    for round_number in range(3):
        process = site.start("all", ticks=True)
        before = len(site.notes("tick")) if round_number else 0
        site.until(lambda before=before: site.notes_file.exists() and len(site.notes("tick")) > before + 6, "no ticks")  # type: ignore[misc]
        bounded.killed(process)
    last = max(moment for moment, *_ in site.notes("tick"))
    site.start("all", ticks=True)
    site.until(lambda: max(moment for moment, *_ in site.notes("tick")) > last + MICROS, "the fourth does not tick")

    rows = [row for row in site.timetable() if row.moment <= last]
    site.until(lambda: all(site.ended(row.run_id) for row in rows), "what the third had under way is not ended")
    step = round(TICK_SECONDS * MICROS)
    assert [row.moment for row in rows] == list(range(rows[0].moment, last + 1, step))
    ticked = Counter(moment for moment, *_ in site.notes("tick"))
    for row in rows:
        ended = site.ended(row.run_id)
        assert row.fate is Fate.PLANNED and ended is not None and ended.state is State.SUCCESS
        assert ticked[row.moment] >= 1
    assert sum(ticked[row.moment] - 1 for row in rows) <= 3 * 2, "only what was in flight at a kill is repeated"


@pytest.mark.slow
def test_a_worker_that_was_stopped_past_its_lease_is_refused_when_it_wakes(site: Site) -> None:
    """P3: SIGSTOP for three leases in mid-run. Its run is another's by then, and what it says is not believed."""
    site.start("node", lease=SHORT_LEASE)
    sleeper = site.start("worker", lease=SHORT_LEASE)
    site.up(sleeper)
    (run_id,) = site.submit("block", [{"n": 1, "seconds": 0.6}])
    site.until(lambda: site.notes("begin"), "the run does not begin")
    sleeper.send_signal(signal.SIGSTOP)
    awake_at = time.monotonic() + 3 * SHORT_LEASE
    session = site.session_of(sleeper)
    assert session is not None
    other = site.start("worker", lease=SHORT_LEASE)
    site.until(lambda: site.ended(run_id), "nobody took the run over")
    first = site.ended(run_id)
    site.until(lambda: time.monotonic() >= awake_at, "time stands still")
    sleeper.send_signal(signal.SIGCONT)
    told = ("run.refused", "session.lost")
    site.until(lambda: any(pid == sleeper.pid for kind in told for *_, pid in site.notes(kind)), "it was not told")
    again = [SessionState.CLOSED, SessionState.OPEN]
    site.until(
        lambda: [one.state for one in site.sessions() if one.pid == sleeper.pid and one.kind == "worker"] == again,
        "it did not join again as somebody else",
    )
    (_, lost_token, _), (_, token, pid) = site.notes("begin")
    ended = site.ended(run_id)
    assert ended == first and ended is not None and ended.state is State.SUCCESS
    assert pid == other.pid and ended.token == token > lost_token
    assert next(one for one in site.sessions() if one.id == session.id).state is SessionState.CLOSED


@pytest.mark.slow
def test_a_run_that_kills_its_workers_becomes_poison_and_the_others_succeed(site: Site) -> None:
    """ARCHITECTURE 5.4: each death halves those that may have done it, and only who was alone is blamed."""
    site.start("node")
    worker = site.start("worker")
    site.up(worker)
    others = site.submit("work", [{"n": n, "seconds": 0.05} for n in range(1, 41)])
    (poison,) = site.submit("leave", [{"n": 0}])
    others += site.submit("work", [{"n": n, "seconds": 0.05} for n in range(41, 81)])

    deaths = 0

    def poisoned() -> bool:
        nonlocal worker, deaths
        if worker.poll() is not None:
            assert worker.returncode == 7
            deaths += 1
            worker = site.start("worker")  # as a supervisor would
        return site.ended(poison) is not None

    site.until(poisoned, "it is not told from the others")
    site.until(lambda: all(site.ended(one) for one in others), "the others were held up")
    ended = site.ended(poison)
    assert ended is not None and ended.state is State.DEAD and "poison" in ended.reason
    begun = len([n for n, *_ in site.notes("begin") if n == 0])
    assert CRASHES_MAX < begun <= 1 + HALVINGS_MAX + CRASHES_MAX
    assert [one.run.id for one in site.ask(lambda store: store.dead(10))] == [poison]
    for run_id in others:
        other = site.ended(run_id)
        assert other is not None and (other.state, other.attempts) == (State.SUCCESS, 1)


def test_what_an_embedded_app_had_under_way_is_made_up_for_within_a_few_handler_times(site: Site) -> None:
    """P5: after a SIGKILL, with nobody else there, in the process that comes back and has no children."""
    seconds = 2.0
    first = site.start("all", slots=20)
    site.up(first)
    ids = site.submit("work", [{"n": n, "seconds": seconds} for n in range(15)])
    site.until(lambda: len(site.notes("begin")) == 15, "they do not begin")
    bounded.killed(first)
    site.up(site.start("all", slots=20))
    back_at = time.monotonic()
    (new,) = site.submit("work", [{"n": 15, "seconds": 0.01}])
    site.until(lambda: site.ended(new), "new work is held up")
    assert time.monotonic() - back_at < seconds, "new work waits for nobody"
    site.until(lambda: all(site.ended(one) for one in ids), "runs were lost")
    assert time.monotonic() - back_at < 3.0 + 2 * seconds
    assert len(site.notes("begin")) == 31 and not site.ask(lambda store: store.dead(10))


@pytest.mark.slow
def test_poison_is_found_among_what_an_embedded_app_had_under_way(site: Site) -> None:
    """No innocent is blamed, and the innocent are begun again few times."""
    app = site.start("all", slots=20)
    site.up(app)
    others = site.submit("work", [{"n": n, "seconds": 0.5} for n in range(1, 16)])
    (poison,) = site.submit("leave", [{"n": 0}])

    def poisoned() -> bool:
        nonlocal app
        if app.poll() is not None:
            app = site.start("all", slots=20)  # as a supervisor would
        return site.ended(poison) is not None and all(site.ended(one) for one in others)

    site.until(poisoned, "it is not told from the others")
    ended = site.ended(poison)
    assert ended is not None and ended.state is State.DEAD and "poison" in ended.reason
    assert [one.run.id for one in site.ask(lambda store: store.dead(10))] == [poison]
    begun = Counter(n for n, *_ in site.notes("begin"))
    assert CRASHES_MAX < begun.pop(0) <= 1 + HALVINGS_MAX + CRASHES_MAX
    assert max(begun.values()) <= 1 + HALVINGS_MAX + 1 and sum(begun.values()) <= 15 * 3


def test_an_event_loop_that_is_blocked_for_two_leases_keeps_its_run(site: Site) -> None:
    """ARCHITECTURE 5.3: the beat has a thread of its own."""
    site.start("node", lease=SHORT_LEASE)
    worker, idle = site.start("worker", lease=SHORT_LEASE), site.start("worker", lease=SHORT_LEASE)
    site.up(worker, idle)
    (run_id,) = site.submit("hog", [{"n": 1, "seconds": 2 * SHORT_LEASE}])
    site.until(lambda: site.ended(run_id), "it did not end")
    ended = site.ended(run_id)
    assert ended is not None and (ended.state, ended.attempts) == (State.SUCCESS, 1)
    assert len(site.notes("begin")) == 1 and not site.notes("session.lost") and not site.notes("run.refused")


@pytest.mark.slow
def test_one_app_started_in_four_processes_makes_one_timetable(site: Site) -> None:
    """As a web server with several workers does it: each declares the same schedules and runs scheduler and worker."""
    processes = [site.start("all", ticks=True) for _ in range(4)]
    site.up(*processes)
    site.until(lambda: len(site.notes("tick")) >= 12, "no ticks")
    processes[0].kill()  # perhaps the one that plans
    seen = len(site.notes("tick"))
    site.until(lambda: len(site.notes("tick")) >= seen + 8, "no ticks after a kill")

    last = max(moment for moment, *_ in site.notes("tick"))
    rows = [row for row in site.timetable() if row.moment <= last]
    assert [row.moment for row in rows] == list(range(rows[0].moment, last + 1, round(TICK_SECONDS * MICROS)))
    assert {row.version for row in rows} == {1}, "declaring the same again is no edit"
    ticked = Counter(moment for moment, *_ in site.notes("tick"))
    assert sum(count - 1 for count in ticked.values()) <= 1

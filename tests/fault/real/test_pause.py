"""SIGSTOP for three leases, then SIGCONT; and an event loop that is blocked for two (P3, P4)."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from shike.model import Ended, SessionState, State
from tests.fault.real.figures import record
from tests.fault.real.grounds import SERVED, STORES, ground_of
from tests.fault.real.judge import judge
from tests.fault.real.scene import scene
from tests.fault.real.site import LEASE, Site

pytestmark = [pytest.mark.slow, pytest.mark.long]

SLOTS = 6


@pytest.mark.parametrize("kind", STORES)
def test_a_worker_a_scheduler_and_an_ack_flusher_stopped_past_their_leases(kind: str, tmp_path: Path) -> None:
    """The flusher stops by itself, with a full batch of acknowledgements that is about to leave."""
    with scene(ground_of(kind), tmp_path, virtual_buckets=64) as site:
        site.start("node")
        site.start("worker", slots=SLOTS)
        stopped = [site.start("node"), site.start("worker", slots=SLOTS)]
        site.up(*site.processes)
        with site.stream():
            flusher = site.start("worker", slots=SLOTS, doom="settle:before:3:STOP")
            site.until(lambda: state_of(flusher.pid) == "T", "the flusher never flushed")
            for process in stopped:
                process.send_signal(signal.SIGSTOP)
            time.sleep(3 * LEASE)
            wait_for_their_end(site, {process.pid for process in (*stopped, flusher)})
            for process in (*stopped, flusher):
                process.send_signal(signal.SIGCONT)
        verdict = judge(site, repeats_max=2 * 2 * SLOTS)
        if kind != "sqlite":  # there, one that stops inside of a transaction stops everybody, and loses nothing
            told = {note.pid for note in site.notes("session.lost", "run.refused")}
            assert {one.pid for one in (*stopped, flusher)} <= told, "who slept past its lease is told"
            for process in (*stopped, flusher):
                until_new_life(site, process.pid)
    record("stopped-processes", kind, stopped=3, **verdict.figures())


def wait_for_their_end(site: Site, pids: set[int]) -> None:
    """On a busy machine others take longer to see it; one stopped inside of a transaction may keep them from it."""
    until = time.monotonic() + 6 * LEASE
    while time.monotonic() < until:
        closed = {one.pid for one in site.sessions() if one.state is SessionState.CLOSED}
        if pids <= closed:
            return
        time.sleep(LEASE / 5)


def until_new_life(site: Site, pid: int) -> None:
    """Its old session is closed for ever, and it has another."""

    def has() -> bool:
        states = [one.state for one in site.sessions() if one.pid == pid and one.kind != "client"]
        return len(states) > 1 and states[-1] is SessionState.OPEN and SessionState.CLOSED in states

    site.until(has, "it did not join again as somebody else")


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("kind", SERVED)
def test_an_event_loop_blocked_for_two_leases_keeps_its_run(kind: str, tmp_path: Path) -> None:
    """The beat has a thread of its own. (SQLite: tests/fault/test_kill.py.)"""
    with scene(ground_of(kind), tmp_path, ticks=False) as site:
        site.start("node")
        site.start("worker")
        site.start("worker")
        site.up(*site.processes)
        hog = site.app.find_task("hog")
        (handle,) = site.app.submit_many([hog.bind(n=1, seconds=2 * LEASE)])
        run_id = int(handle.id)
        site.until_over([run_id])
        ended = site.find(run_id)
        assert isinstance(ended, Ended) and (ended.state, ended.attempts) == (State.SUCCESS, 1)
        assert len(site.notes("begin")) == 1 and not site.notes("session.lost", "run.refused")
    record("blocked-loop", kind, runs=1, repeats=0)

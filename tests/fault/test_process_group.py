"""A program in a group of its own, on systems with and without a way to be told when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from shike.worker.process_group import ProcessGroup, ending
from tests import bounded
from tests.fault.processes import PATIENCE, Brood, gone, written


def refuse(pid: int, flags: int = 0) -> int:
    raise OSError("not on this system")


@pytest.fixture(params=["told", "looks", "reaps"], autouse=True)
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux; one without pidfd; one that cannot even look without taking the exit status."""
    if request.param != "told":
        monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    if request.param == "reaps":
        monkeypatch.delattr(os, "waitid", raising=False)


def shell(script: str, *, sweep: bool = True) -> ProcessGroup:
    return ProcessGroup(["/bin/sh", "-c", script], sweep=sweep)


def test_the_exit_status_is_told_once_the_program_is_over() -> None:
    brood = Brood()

    async def main() -> tuple[int, int, list[str]]:
        left, killed = shell("exit 3"), shell("kill -9 $$")
        async with asyncio.timeout(PATIENCE):
            return await left.exited, await killed.exited, brood.pids()

    assert bounded.run(main()) == (3, -signal.SIGKILL, [])


def test_what_a_swept_program_leaves_running_is_killed(tmp_path: Path) -> None:
    async def main() -> None:
        await shell(f"sleep 60 & echo $! > {tmp_path}/note").exited
        await gone(await written(tmp_path / "note"))

    bounded.run(main(), PATIENCE)


def test_on_a_stop_the_rest_of_the_group_has_time_to_clean_up_though_the_leader_has_left(tmp_path: Path) -> None:
    note, cleaned = tmp_path / "note", tmp_path / "cleaned"
    other = f"trap 'sleep 0.1; : > {cleaned}; exit' TERM; echo 1 > {note}; while :; do sleep 0.01; done"

    async def main() -> None:
        group = shell(f"({other}) & exec sleep 60")
        await written(note)
        await group.stop(PATIENCE)

    bounded.run(main(), PATIENCE)
    assert cleaned.exists()


def test_a_stop_is_finished_even_when_its_caller_is_cancelled(tmp_path: Path) -> None:
    brood = Brood()

    async def main() -> list[str]:
        group = shell(f"trap '' TERM; echo $$ > {tmp_path}/note; while :; do sleep 0.01; done")
        await written(tmp_path / "note")
        stopping = asyncio.ensure_future(group.stop(0.1))
        await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.sleep(0)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        return brood.pids()

    assert bounded.run(main(), PATIENCE) == []


def test_a_stop_of_what_is_over_returns_at_once() -> None:
    async def main() -> int:
        group = shell("exit 0")
        await group.exited
        await group.stop(60)
        return group.exited.result()

    assert bounded.run(main(), PATIENCE) == 0


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "ended with exit status 0"), (-15, "was killed by SIGTERM"), (-63, "was killed by signal 63")],
)
def test_an_ending_is_told_in_words(status: int, words: str) -> None:
    assert ending(status) == words

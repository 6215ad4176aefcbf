"""Processes on one file tell each other of commits; what cannot be told is lost, and nobody waits for it."""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path

import msgspec
import pytest

from shike.store.hints import Hint, HintKind
from shike.store.sqlite import wakeup
from shike.store.sqlite.wakeup import DATAGRAM_BYTES, Wakeup, _datagrams
from tests.unit.store.sqlite_world import entry, opened, run, until

DUE = Hint(HintKind.DUE, "default", 5)


def test_a_commit_of_one_is_heard_by_the_other(tmp_path: Path) -> None:
    async def two() -> None:
        async with opened(tmp_path / "shike.db") as one, opened(tmp_path / "shike.db") as other:
            heard: list[Hint] = []
            other.listen(heard.append)
            await one.submit([entry(1)])
            await until(lambda: bool(heard))
            assert heard[0].kind is HintKind.DUE
            one.tell(DUE)
            await until(lambda: DUE in heard)

    run(two())


def test_nobody_hears_his_own_commit_twice(tmp_path: Path) -> None:
    async def once() -> None:
        async with opened(tmp_path / "shike.db") as one, opened(tmp_path / "shike.db") as other:
            mine: list[Hint] = []
            theirs: list[Hint] = []
            one.listen(mine.append)
            other.listen(theirs.append)
            for number in range(1, 6):
                await one.submit([entry(number)])
            await until(lambda: len(theirs) == 5)
            await until(lambda: len(mine) >= 5)
            assert len(mine) == 5

    run(once())


def test_a_socket_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(tmp_path / "1-1.sock"))
    dead.close()
    wakeup = Wakeup(tmp_path)
    wakeup.send([DUE])
    wakeup.close()
    assert list(tmp_path.iterdir()) == []


def test_a_name_left_by_a_killed_process_of_the_same_number_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container every process has the same few numbers."""
    monkeypatch.setattr(wakeup, "_serial", itertools.count(1))
    for number in (1, 2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as killed:
            killed.bind(str(tmp_path / f"{os.getpid()}-{number}.sock"))

    async def listening() -> None:
        ears, mouth = Wakeup(tmp_path), Wakeup(tmp_path)
        heard: list[Hint] = []
        ears.listen(heard.append)
        mouth.send([DUE])
        await until(lambda: heard == [DUE])
        ears.close()
        mouth.close()

    run(listening())


def test_a_reader_that_is_full_is_not_waited_for(tmp_path: Path) -> None:
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    deaf.bind(str(tmp_path / "1-1.sock"))
    wakeup = Wakeup(tmp_path)
    try:
        for _ in range(5_000):
            wakeup.send([DUE])
    finally:
        wakeup.close()
        deaf.close()


def test_a_datagram_that_is_not_ours_is_ignored(tmp_path: Path) -> None:
    async def listen() -> None:
        wakeup = Wakeup(tmp_path)
        heard: list[Hint] = []
        stop = wakeup.listen(heard.append)
        (path,) = tmp_path.iterdir()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"\xff\xff\xff", str(path))
            stranger.sendto(_datagrams([DUE])[0], str(path))
        await until(lambda: heard == [DUE])
        stop()
        stop()
        assert list(tmp_path.iterdir()) == []
        wakeup.close()

    run(listen())


def test_a_path_too_long_for_a_socket_is_avoided(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()

    async def listen() -> None:
        one, other = Wakeup(folder), Wakeup(folder)
        heard: list[Hint] = []
        stop = one.listen(heard.append)
        other.send([DUE])
        await until(lambda: heard == [DUE])
        stop()
        one.close()
        other.close()
        assert list(folder.iterdir()) == []

    run(listen())


def test_large_news_are_cut_into_datagrams_and_nothing_is_left_out() -> None:
    hints = [Hint(HintKind.ENDED, run_ids=tuple(range(1 << 50, (1 << 50) + 10_000))), *[DUE] * 2_000]
    pieces = _datagrams(hints)
    assert max(map(len, pieces)) <= DATAGRAM_BYTES + 1024

    told = [hint for piece in pieces for hint in msgspec.msgpack.decode(piece, type=list[Hint])]
    assert [run_id for hint in told for run_id in hint.run_ids] == list(hints[0].run_ids)
    assert told.count(DUE) == 2_000

"""A lock file tells at once that a process is dead: however it ended, and whatever children it left behind."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shike.errors import StoreUnavailable
from shike.runtime import driven
from shike.store.liveness import Liveness, of_this_machine
from shike.store.sqlite import SQLiteStore
from tests import bounded
from tests.unit.store.sqlite_world import entry, join, opened, run

HOLDER = """
import subprocess, sys, time
from pathlib import Path
from shike.store.liveness import Liveness, of_this_machine
locks = Liveness(Path(sys.argv[1]))
locks.hold("them")
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
child = subprocess.Popen(sleep, close_fds=False, stdout=subprocess.DEVNULL)  # or it held our reader's pipe open
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_session_of_this_process_is_not_gone(tmp_path: Path) -> None:
    mine, theirs = Liveness(tmp_path), Liveness(tmp_path)
    mine.hold("me")
    assert not mine.is_gone("me")
    assert not theirs.is_gone("me")
    mine.close()
    assert theirs.is_gone("me")


def test_a_killed_process_is_gone_though_its_child_lives_on(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    child = int(bounded.line(holder))
    try:
        locks = Liveness(tmp_path)
        assert not locks.is_gone("them")
        bounded.killed(holder)
        os.kill(child, 0)
        assert locks.is_gone("them")
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_forked_child_does_not_keep_its_parents_session_alive(tmp_path: Path) -> None:
    mine, theirs = Liveness(tmp_path), Liveness(tmp_path)
    mine.hold("me")
    wake, sleep = os.pipe()
    born, birth = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(sleep)
        os.write(birth, b".")
        os.read(wake, 1)
        os._exit(0)
    try:
        os.read(born, 1)
        assert not theirs.is_gone("me"), "the parent lives"
        mine.close()
        assert theirs.is_gone("me"), "the child holds nothing of it"
    finally:
        for end in (sleep, wake, born, birth):
            os.close(end)
        os.waitpid(child, 0)


def test_two_who_ask_at_once_do_not_take_each_other_for_the_holder(tmp_path: Path) -> None:
    dead, one = Liveness(tmp_path), Liveness(tmp_path)
    dead.hold("them")
    dead.close()
    with open(tmp_path / "them.lock") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert one.is_gone("them")


def test_a_file_that_is_missing_proves_nothing(tmp_path: Path) -> None:
    assert not Liveness(tmp_path).is_gone("nobody")


@pytest.mark.parametrize("identity", ["../../etc/passwd", "a/b", "", "时刻", "x" * 300])
def test_an_identity_cannot_name_a_file_elsewhere(tmp_path: Path, identity: str) -> None:
    folder = tmp_path / "locks"
    folder.mkdir()
    locks = Liveness(folder)
    locks.hold(identity)
    assert [path.parent for path in tmp_path.rglob("*.lock")] == [folder]
    assert not Liveness(folder).is_gone(identity)
    locks.drop(identity)
    assert list(folder.iterdir()) == []


def test_a_rescued_sessions_file_is_removed(tmp_path: Path) -> None:
    async def rescue() -> None:
        async with opened(tmp_path / "shike.db") as living:
            dying = SQLiteStore(tmp_path / "shike.db", clock=living.clock)
            await dying.open()
            await join(dying, "them")
            assert not living.is_gone("them")
            assert not await living.close_session("them", seen_beat=0, reason="early")
            await dying.close()
            assert living.is_gone("them")
            assert await living.close_session("them", seen_beat=0, reason="gone")
            await living.free("them", 10)
            assert list(tmp_path.rglob("*.lock")) == []

    run(rescue())


def test_a_good_bye_removes_the_file(tmp_path: Path) -> None:
    async def leave() -> None:
        async with opened(tmp_path / "shike.db") as store:
            await join(store, "me")
            assert list(tmp_path.rglob("*.lock"))
            await store.close_session("me", seen_beat=None, reason="bye")
            assert list(tmp_path.rglob("*.lock")) == []

    run(leave())


def test_a_forked_child_is_refused_until_it_opens_the_store_itself(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "shike.db")
    store.start()
    driven(store.submit([entry(1)]))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            try:
                driven(store.find(1 << 8))
            except StoreUnavailable:
                store.start()
                driven(store.submit([entry(2)]))
                store.stop()
                code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    try:
        assert os.waitstatus_to_exitcode(status) == 0
        assert driven(store.find(2 << 8)) is not None
        driven(store.submit([entry(3)]))
    finally:
        store.stop()


def test_a_session_that_could_not_be_opened_leaves_no_lock_behind(tmp_path: Path) -> None:
    """Who cannot join tries again each second, under another name each time."""

    async def story() -> None:
        async with opened(tmp_path / "shike.db", crashes_max=3) as store:
            assert store._writer is not None
            store._writer.close()
            for number in range(3):
                with pytest.raises(StoreUnavailable):
                    await join(store, f"worker{number}")
            assert store._liveness._held == {}
            assert list((tmp_path / "shike.db-shike").glob("*.lock")) == []

    run(story())


def test_a_folder_that_others_can_write_to_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = of_this_machine("shike")
    assert folder is not None and folder.parent.stat().st_mode & 0o777 == 0o700
    assert of_this_machine("other") != folder
    folder.parent.chmod(0o777)
    assert of_this_machine("shike") is None
    locks = Liveness(None)
    locks.hold("me")
    assert (locks.is_gone("me"), locks.is_held("me")) == (False, False)


def test_a_folder_that_cannot_be_made_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert of_this_machine("shike") is None


def test_a_machine_without_temporary_files_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_usable() -> str:
        raise FileNotFoundError("no usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none_usable)
    assert of_this_machine("shike") is None

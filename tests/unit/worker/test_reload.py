"""What counts as an edit of the app, and when it is told."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from shike.worker.reload import Watcher, changed, look, module_files, sources, wait_for_edit
from tests.sim.loop import SimLoop, simulate


def module(file: Path | None) -> ModuleType:
    made = ModuleType("made")
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        made.__file__ = str(file)
    return made


def edit(file: Path, text: str = "edited") -> None:
    """Write it, with a time of its own: two edits may come within one tick of the file system's clock."""
    edits[file] = edits.get(file, 1_000) + 1
    file.write_text(text)
    os.utime(file, (edits[file], edits[file]))


edits: dict[Path, int] = {}


def test_only_the_apps_own_sources_are_watched(tmp_path: Path) -> None:
    root = tmp_path / "app"
    own = [root / "jobs.py", root / "shop" / "__init__.py"]
    foreign = [
        root / ".venv" / "lib" / "x.py",
        root / "env" / "site-packages" / "y.py",
        root / "fast.so",
        tmp_path / "elsewhere.py",
    ]
    modules = {str(file): module(file) for file in [*own, *foreign]}
    modules["built in"] = module(None)
    assert module_files(root, modules) == {file.resolve() for file in own}


def test_an_edit_a_removal_and_a_return_are_changes_and_a_new_file_is_not(tmp_path: Path) -> None:
    kept, edited, removed, new = (tmp_path / name for name in ("kept", "edited", "removed", "new"))
    for file in (kept, edited, removed):
        edit(file)
    before = look({kept, edited, removed})
    edit(edited)
    edit(new)
    removed.unlink()
    now = look({kept, edited, removed, new})
    assert changed(before, now) == [edited, removed]
    edit(removed)
    assert changed(now, look({removed})) == [removed]


def test_a_burst_of_edits_is_told_once_when_it_has_settled(tmp_path: Path) -> None:
    """In virtual time: looks every 10 s, edits settle for 4 s."""
    files = {tmp_path / "a.py", tmp_path / "b.py"}
    for file in files:
        edit(file)
    told: list[tuple[float, list[str]]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        watcher = Watcher(
            tmp_path,
            lambda edited: told.append((loop.time() - began, [file.name for file in edited])),
            poll_seconds=10.0,
            settle_seconds=4.0,
            files=lambda: files,
        )
        began = loop.time()
        watching = loop.create_task(watcher.run())
        loop.call_later(7, edit, tmp_path / "a.py")
        loop.call_later(13, edit, tmp_path / "b.py")
        loop.call_later(50, edit, tmp_path / "a.py")
        await asyncio.sleep(100)
        watching.cancel()

    simulate(SimLoop(Random(0)), main)
    assert [names for _, names in told] == [["a.py", "b.py"], ["a.py"]]
    assert told[0][0] == pytest.approx(18.0)


def test_without_an_edit_nothing_is_told(tmp_path: Path) -> None:
    edit(tmp_path / "a.py")
    told: list[list[Path]] = []

    async def main() -> None:
        watching = asyncio.ensure_future(Watcher(tmp_path, told.append, files=lambda: {tmp_path / "a.py"}).run())
        await asyncio.sleep(1000)
        watching.cancel()

    simulate(SimLoop(Random(0)), main)
    assert told == []


@pytest.mark.parametrize("how", ["edited", "made", "removed"])
def test_an_app_that_does_not_import_waits_for_any_change_of_a_source(tmp_path: Path, how: str) -> None:
    broken = tmp_path / "shop" / "jobs.py"
    module(broken)
    before = look(sources(tmp_path))
    waiting = threading.Thread(
        target=wait_for_edit, args=(tmp_path, before), kwargs={"poll_seconds": 0, "settle_seconds": 0}
    )
    waiting.start()
    module(tmp_path / ".venv" / "new.py")
    waiting.join(0.1)
    assert waiting.is_alive()
    if how == "edited":
        edit(broken)
    elif how == "made":
        module(tmp_path / "new.py")
    else:
        broken.unlink()
    waiting.join(60)
    assert not waiting.is_alive()


def test_an_edit_before_the_waiting_began_is_not_missed(tmp_path: Path) -> None:
    module(tmp_path / "jobs.py")
    before = look(sources(tmp_path))
    edit(tmp_path / "jobs.py")
    wait_for_edit(tmp_path, before, poll_seconds=60, settle_seconds=0)

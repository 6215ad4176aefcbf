"""Notice that the app's code was edited, by looking at its files now and then: no dependency, any file system."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shike.bounds import RELOAD_POLL_SECONDS, RELOAD_SETTLE_SECONDS

Marks = dict[Path, tuple[int, int]]
"""By file: when it was changed (ns) and its size; (0, 0): it is not there."""

FOREIGN = frozenset({"site-packages", "dist-packages", "__pycache__"})


def module_files(root: Path, modules: Mapping[str, Any] | None = None) -> set[Path]:
    """The source files under `root` of what is imported by now, without installed packages and hidden folders (a
    virtual environment may lie in the app's own)."""
    root = root.resolve()
    names = [getattr(module, "__file__", None) for module in list((modules or sys.modules).values())]
    files = [Path(name).resolve() for name in names if isinstance(name, str) and name.endswith(".py")]
    return {file for file in files if file.is_relative_to(root) and not _is_foreign(file.relative_to(root))}


def look(files: set[Path]) -> Marks:
    """How the files are now."""
    return {file: _mark(file) for file in files}


def changed(before: Marks, now: Marks) -> list[Path]:
    """What was edited, removed or came back; a file not seen before is not a change: it was just imported."""
    return sorted(file for file, mark in now.items() if before.get(file, mark) != mark)


class Watcher:
    """Calls `on_change` with the files that were edited, once an edit has settled. `run` goes on until cancelled."""

    def __init__(
        self,
        root: Path,
        on_change: Callable[[list[Path]], None],
        *,
        poll_seconds: float = RELOAD_POLL_SECONDS,
        settle_seconds: float = RELOAD_SETTLE_SECONDS,
        files: Callable[[], set[Path]] | None = None,
    ) -> None:
        self._on_change = on_change
        self._poll_seconds = poll_seconds
        self._settle_seconds = settle_seconds
        self._files = files or (lambda: module_files(root))
        self._known = look(self._files())

    async def run(self) -> None:
        """Look every `poll_seconds`; an edit has settled when nothing changed for `settle_seconds`."""
        while True:
            await asyncio.sleep(self._poll_seconds)
            edited = self._step()
            while edited:
                await asyncio.sleep(self._settle_seconds)
                more = self._step()
                if not more:
                    self._on_change(sorted(set(edited)))
                    break
                edited += more

    def _step(self) -> list[Path]:
        now = look(self._files() | self._known.keys())
        edited = changed(self._known, now)
        self._known = now
        return edited


def wait_for_edit(
    root: Path,
    before: Marks,
    *,
    poll_seconds: float = RELOAD_POLL_SECONDS,
    settle_seconds: float = RELOAD_SETTLE_SECONDS,
) -> None:
    """Block until a source file under `root` is another one than `before`, came or went, and that has settled: what is
    left to do while an app does not import, and so says not which files it consists of."""
    while (now := look(sources(root))) == before:
        time.sleep(poll_seconds)
    while now != before:
        before = now
        time.sleep(settle_seconds)
        now = look(sources(root))


def sources(root: Path) -> set[Path]:
    """All source files under `root`, imported or not."""
    found = set()
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not _is_foreign(Path(name))]
        found |= {Path(folder, name) for name in files if name.endswith(".py")}
    return found


def _mark(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _is_foreign(relative: Path) -> bool:
    return any(part in FOREIGN or part.startswith(".") for part in relative.parts)

"""Noticing a fork: a child must give out no id that its parent gives out too, and do none of its work."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final, NoReturn
from weakref import WeakMethod


class Forks:
    """How often this process or an ancestor of it was forked since the program started, on the child's side."""

    def __init__(self) -> None:
        self.count = 0
        self._hooks: list[WeakMethod[Callable[[], None]]] = []
        self._around: list[tuple[WeakMethod[Callable[[], None]], WeakMethod[Callable[[], None]]]] = []
        self._afterwards: list[Callable[[], None]] = []
        self._one_at_a_time = threading.Lock()

    def in_child(self, hook: Callable[[], None]) -> None:
        """Call a method in a forked child, if its object lives then."""
        self._hooks = [known for known in self._hooks if known() is not None]
        self._hooks.append(WeakMethod(hook))

    def around(self, before: Callable[[], None], after: Callable[[], None]) -> None:
        """Call one method before this process is forked, which may wait for others of its threads to reach a place
        where nothing is half done; and the other one afterwards, in the parent."""
        self._around = [known for known in self._around if known[0]() is not None]
        self._around.append((WeakMethod(before), WeakMethod(after)))

    def about_to_happen(self) -> None:
        self._one_at_a_time.acquire()
        for known in self._around:
            before, after = known[0](), known[1]()
            if before is not None and after is not None:
                before()
                self._afterwards.append(after)

    def over_in_parent(self) -> None:
        while self._afterwards:
            self._afterwards.pop()()
        self._one_at_a_time.release()

    def happened(self) -> None:
        self._afterwards.clear()
        self._one_at_a_time = threading.Lock()
        self.count += 1
        for known in self._hooks:
            hook = known()
            if hook is not None:
                hook()


FORKS: Final = Forks()
STRAY_STATUS: Final = 70  # EX_SOFTWARE of sysexits.h
STRAY: Final = (
    b"shike: a child came back from the handler that forked it; it ends here. End it with os._exit yourself\n"
)


def end_stray(error: BaseException | None = None) -> NoReturn:
    """End a forked child that came back from a handler. It has the memory of a worker, but not its threads, and its
    sockets and locks are its parent's: it must say and do nothing more. `error`: what the handler raised in it."""
    if isinstance(error, SystemExit):
        os._exit(error.code if isinstance(error.code, int) else error.code is not None)
    os.write(2, STRAY)
    os._exit(STRAY_STATUS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=FORKS.about_to_happen, after_in_parent=FORKS.over_in_parent, after_in_child=FORKS.happened
    )

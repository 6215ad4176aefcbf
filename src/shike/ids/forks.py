"""Noticing a fork: a child must give out no id that its parent gives out too."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final
from weakref import WeakMethod


class Forks:
    """How often this process or an ancestor of it was forked since the program started, on the child's side."""

    def __init__(self) -> None:
        self.count = 0
        self._hooks: list[WeakMethod[Callable[[], None]]] = []

    def in_child(self, hook: Callable[[], None]) -> None:
        """Call a method in a forked child, if its object lives then."""
        self._hooks = [known for known in self._hooks if known() is not None]
        self._hooks.append(WeakMethod(hook))

    def happened(self) -> None:
        self.count += 1
        for known in self._hooks:
            hook = known()
            if hook is not None:
                hook()


FORKS: Final = Forks()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=FORKS.happened)

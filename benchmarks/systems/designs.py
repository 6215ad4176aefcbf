"""The designs of the sources, and ours, up to dispatch: no handler is called (`benchmarks/measures/dispatch.py`)."""

from __future__ import annotations

from typing import Any

from benchmarks.systems.spec import Spec


def _theirs(title: str, module: str, group: str, **words: Any) -> Spec:
    return Spec(title=title, module=module, group=group, design=True, **words)


def _ours(title: str, group: str, preset: str) -> Spec:
    settings = {"store": "server", "preset": preset}
    return Spec(title=title, module="dispatch", group=group, ours=True, design=True, settings=settings)


DESIGNS: dict[str, Spec] = {
    "lock-1s": _theirs("one lock, a scan each second", "one_lock", "redis", settings={"scan_seconds": 1.0}),
    "lock-20ms": _theirs("one lock, a scan each 20 ms", "one_lock", "redis", settings={"scan_seconds": 0.02}),
    "ring": _theirs("PostgreSQL, 5 s pre-read, ring of seconds", "ring", "postgres", whole_seconds=True),
    "slices": _ours("Shike `precise` on Redis, one node", "redis", "precise"),
    "simple": _ours("Shike `simple` on Redis, one node", "redis", "simple"),
    "classic": _ours("Shike `classic` on PostgreSQL, one node", "postgres", "classic"),
}

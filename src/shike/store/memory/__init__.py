"""The reference model: the whole store protocol on plain Python objects, fast enough to be used as it is.

Read `tables` first (what there is), then a verb a file: `submit`, `claim`, `settle`, `moves`, `sessions`, `schedules`,
`keeping`; `lanes` is the one data structure.
"""

from shike.store.memory.store import MemoryStore

__all__ = ["MemoryStore"]

"""What every verb stands on: which buckets a call works in, and how it is told to the server or to the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shike.ids import bucket_of
from shike.store.redis.options import Options
from shike.store.redis.server import Server, Words

HOME: Final = 0  # the bucket that has what belongs to no other: sessions, buckets, control rows


@dataclass(slots=True)
class Base:
    """A store that is open: its server, how many virtual buckets it has, what it keeps."""

    server: Server
    options: Options
    namespace: str
    buckets: int
    crashes_max: int

    @property
    def every(self) -> range:
        return range(self.buckets)

    @property
    def bound(self) -> int:
        """Most records of the history in one bucket."""
        return max(self.options.history_runs // self.buckets, 1)

    def tag(self, bucket: int) -> bytes:
        return b"{%s:%d}" % (self.namespace.encode(), bucket)

    def tags(self, buckets: Iterable[int]) -> list[bytes]:
        return [self.tag(bucket) for bucket in buckets]

    def bucket_of(self, run_id: int) -> int:
        return bucket_of(run_id) % self.buckets

    async def at(self, bucket: int, name: str, *words: bytes | str | int) -> Any:
        """Run a script in one bucket."""
        return await self.server.script(name, [self.tag(bucket)], words)

    async def everywhere(self, buckets: Sequence[int], name: str, words: Words) -> list[Any]:
        """Run a script in several buckets, with the same words: in one step on one server, a step a bucket on a
        cluster. The answers."""
        if self.server.one_step:
            return [await self.server.script(name, self.tags(buckets), words)]
        return list(await asyncio.gather(*[self.server.script(name, [self.tag(at)], words) for at in buckets]))

    async def home_first(self, buckets: Sequence[int], name: str, *words: bytes | str | int) -> Any:
        """Run a script that has something to do at the home bucket and then in others: its first word says whether its
        first bucket is home. The answer of home; on a cluster the others are told only where `goes_on`."""
        others = [bucket for bucket in buckets if bucket != HOME]
        if self.server.one_step:
            return await self.server.script(name, self.tags([HOME, *others]), ("1", *words))
        return await self.server.script(name, [self.tag(HOME)], ("1", *words))

    async def afterwards(self, buckets: Sequence[int], name: str, *words: bytes | str | int) -> list[Any]:
        """The second half of `home_first` on a cluster: the other buckets, once home has agreed."""
        if self.server.one_step:
            return []
        others = [bucket for bucket in buckets if bucket != HOME]
        calls = [self.server.script(name, [self.tag(bucket)], ("0", *words)) for bucket in others]
        return list(await asyncio.gather(*calls))

    async def by_bucket(
        self, run_ids: Sequence[int], name: str, before: Words, put: Callable[[list[Any], int], None]
    ) -> list[tuple[list[int], Any]]:
        """Run a script over many runs. On its tape each bucket's part begins with how many there are; `put` adds the
        words of one, by its place. The answers, each with the places it tells of, in its order."""
        places: dict[int, list[int]] = {}
        for place, run_id in enumerate(run_ids):
            places.setdefault(bucket_of(run_id) % self.buckets, []).append(place)
        groups = [list(places)] if self.server.one_step and places else [[bucket] for bucket in places]
        if len(groups) == 1:  # no task of its own for it
            return [await self._part(groups[0], places, name, before, put)]
        return list(await asyncio.gather(*[self._part(group, places, name, before, put) for group in groups]))

    async def _part(
        self,
        group: list[int],
        places: dict[int, list[int]],
        name: str,
        before: Words,
        put: Callable[[list[Any], int], None],
    ) -> tuple[list[int], Any]:
        tape: list[Any] = list(before)
        order: list[int] = []
        for bucket in group:
            tape.append(len(places[bucket]))
            for place in places[bucket]:
                put(tape, place)
            order += places[bucket]
        return order, await self.server.script(name, self.tags(group), tape)

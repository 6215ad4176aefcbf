"""Runs that take results of their parents are made whole before they begin: the results are read, and put in."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from shike.bounds import HANDOVER_KEPT, HANDOVER_READ_AT_ONCE
from shike.errors import NotFound, ShikeError, StoreError
from shike.ids.runs import BUCKET_BITS
from shike.model import Ended, State
from shike.outage import Outage
from shike.store.base import Store
from shike.store.codec import Codec, Plain
from shike.store.verbs import Claimed
from shike.track import handover, settle

log = logging.getLogger("shike.worker")


class Handover:
    """Holds granted runs back until what they take is there. `ready` gets each that can begin, `unfit` each that never
    can, with the reason: results that are too large, or no longer kept."""

    def __init__(
        self,
        store: Store,
        codec: Codec | None,
        ready: Callable[[list[Claimed], int, bool], None],
        unfit: Callable[[Claimed, str], None],
    ) -> None:
        self._store = store
        self._codec = codec or Plain()
        self._ready = ready
        self._unfit = unfit
        self._held: dict[int, Claimed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: OrderedDict[int, asyncio.Task[dict[int, Ended]]] = OrderedDict()  # looks at parents
        self._outage = Outage(log, "reading results of parents")

    def __len__(self) -> int:
        return len(self._held)

    def keep_back(self, runs: Iterable[Claimed], granted_at: int, apart: bool) -> list[Claimed]:
        """Those that can begin at once; the others follow."""
        now = []
        for claimed in runs:
            if claimed.run.ties is None or not self._takes(claimed):
                now.append(claimed)
                continue
            self._held[claimed.run.id] = claimed
            task = asyncio.get_running_loop().create_task(
                self._make_whole(claimed, granted_at, apart), name="shike:handover"
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return now

    def drop(self, run_id: int) -> Claimed | None:
        """Take one out, if it is here."""
        return self._held.pop(run_id, None)

    def take_back(self) -> list[Claimed]:
        """All that are here, to be given back."""
        held, self._held = self._held, {}
        for task in self._tasks:
            task.cancel()
        return list(held.values())

    def _takes(self, claimed: Claimed) -> str:
        try:
            return settle.options_of(claimed.run.options).takes
        except ShikeError:
            return ""  # whoever begins it says what is wrong

    async def _make_whole(self, claimed: Claimed, granted_at: int, apart: bool) -> None:
        try:
            whole = await self._whole(claimed)
        except ShikeError as error:
            if self._is_held(claimed):
                del self._held[claimed.run.id]
                self._unfit(claimed, str(error))
            return
        if self._is_held(claimed):
            del self._held[claimed.run.id]
            self._ready([whole], granted_at, apart)

    def _is_held(self, claimed: Claimed) -> bool:
        return self._held.get(claimed.run.id) is claimed

    async def _whole(self, claimed: Claimed) -> Claimed:
        run, name, codec = claimed.run, self._takes(claimed), self._codec
        origin = run.replay_of or run.id
        payload = codec.decode(run.args)
        distances = sorted(handover.wanted(payload, name))
        results = await self._results([origin + (distance << BUCKET_BITS) for distance in distances])
        told = dict(zip(distances, results, strict=True))
        return replace(claimed, run=replace(run, args=codec.encode(handover.filled(payload, name, told))))

    async def _results(self, run_ids: Sequence[int]) -> list[bytes]:
        """What these parents returned, in their order: nothing where one had no success. What was read before, or is
        being read for another child, is not read again."""
        looks = {run_id: self._known[run_id] for run_id in run_ids if run_id in self._known}
        unknown = [run_id for run_id in run_ids if run_id not in looks]
        for start in range(0, len(unknown), HANDOVER_READ_AT_ONCE):
            part = unknown[start : start + HANDOVER_READ_AT_ONCE]
            look = asyncio.get_running_loop().create_task(self._look(part), name="shike:handover")
            looks.update(dict.fromkeys(part, look))
        if len(looks) <= HANDOVER_KEPT:  # a join of many is one of a kind, and large
            self._remember(looks)
        found = {look: await asyncio.shield(look) for look in dict.fromkeys(looks.values())}
        return [self._of(run_id, found[looks[run_id]].get(run_id)) for run_id in run_ids]

    def _remember(self, looks: Mapping[int, asyncio.Task[dict[int, Ended]]]) -> None:
        for run_id, look in looks.items():
            self._known[run_id] = look
            self._known.move_to_end(run_id)
        while len(self._known) > HANDOVER_KEPT:
            self._known.popitem(last=False)

    async def _look(self, run_ids: list[int]) -> dict[int, Ended]:
        """Waits for a store that does not answer, for as long as anybody waits for the results."""
        while True:
            try:
                found = await self._store.outcomes(run_ids)
            except StoreError as error:
                pause = self._outage.pause(error)
                if not self._held:
                    self._forget(run_ids)
                    return {}  # nobody waits any more: an error would be heard by nobody
                await asyncio.sleep(pause)
                continue
            self._outage.over()
            if len(found) < len(run_ids):
                self._forget([run_id for run_id in run_ids if run_id not in found])
            return found

    def _forget(self, run_ids: Iterable[int]) -> None:
        for run_id in run_ids:
            self._known.pop(run_id, None)

    def _of(self, run_id: int, known: Ended | None) -> bytes:
        if known is None:
            raise NotFound(f"the result of its parent {run_id} is not kept any more")
        if known.state is not State.SUCCESS or not known.result:
            return b""
        return self._codec.decode(known.result)

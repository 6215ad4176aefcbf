"""Move a live store to another one: nothing lost, nothing repeated, and every step may be begun again.

    check → history, while everything goes on → drain: no claim is granted, what runs ends → seal: nothing changes →
    the rest → compare → FROM says for ever where it went, TO opens

Until the last step FROM is the truth, and `cancel` gives up. Each step writes its phase (`shike.store.portable.Marker`)
into the store before it begins: whoever finds a move half done goes on from there. Copying again what was copied is
harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from shike.audit import audit
from shike.clock import MICROS, Clock, to_datetime
from shike.errors import BadInput, StillRunning, StoreError, TriggerError
from shike.ids import Entropy
from shike.model import State
from shike.store.base import RunFilter, Store
from shike.store.portable import Marker, Phase, Portable
from shike.store.records import DAY_MICROS, Kind, MarksRecord
from shike.transfer.copying import Progress, Tallies, copy, differences, is_empty, marks, nothing, portable, tallied

LATE_SECONDS: Final = 600.0  # what ended so long ago is committed, whatever transaction was slow
ROUNDS_MAX: Final = 8  # of copying history while more comes
LOOK_SECONDS: Final = 0.2
FREED_AT_ONCE: Final = 1_000
LISTED_MAX: Final = 20  # running runs that are named
SETTLED: Final = tuple(kind for kind in Kind if kind is not Kind.ENDED)


@dataclass(slots=True)
class Move:
    """One move. `run` does all that is left of it; `cancel` gives up as long as FROM has not moved.

    `grace_seconds`: how long to wait for what runs. `repeat`: what still runs then is taken from its workers, whose
    reports are refused from there on, and runs again on TO (`on_unknown` says otherwise for a task). `from_name`,
    `to_name`: the stores' URLs without passwords. `audited`: also prove on both sides what became of each planned
    moment of the last day, and compare.
    """

    source_store: Store
    target_store: Store
    clock: Clock
    entropy: Entropy
    from_name: str
    to_name: str
    grace_seconds: float = 60.0
    repeat: bool = False
    audited: bool = True
    say: Callable[[str], None] = lambda words: None
    progress: Progress = nothing
    reached: Callable[[str], None] = lambda step: None  # a step is over: for tests that kill the process there
    copied: Tallies = field(default_factory=dict)

    @property
    def source(self) -> Portable:
        return portable(self.source_store)

    @property
    def target(self) -> Portable:
        return portable(self.target_store)

    async def run(self) -> Tallies:
        """Do what is left to do; how much was copied. Raises `BadInput` for stores that do not fit, `StillRunning`
        when the grace is over (everything goes on then as before), `StoreError` if TO does not hold what FROM does."""
        marker = await self._begun()
        if marker.phase in (Phase.COPYING, Phase.DRAINING):
            marker = await self._history(marker)
            marker = await self._drained(marker)
            marker = await self._enter(marker, Phase.SEALED)
        if marker.phase is Phase.SEALED:
            await self._rest(marker)
            await self._compare(marker)
            await self._enter(marker, Phase.MOVED)
        await self._open(marker)
        return self.copied

    # ---------------------------------------------------------------- 1: do the stores fit

    async def _begun(self) -> Marker:
        """FROM's marker; a new one if no move is under way."""
        if self.source.virtual_buckets != self.target.virtual_buckets:
            raise BadInput(
                f"FROM has {self.source.virtual_buckets} virtual buckets, TO {self.target.virtual_buckets}: make TO "
                f"anew with ?virtual_buckets={self.source.virtual_buckets} in its URL"
            )
        found = await self.source.marker()
        if found is None or found.phase is Phase.OPENED:
            await self._check_target(None)
            now = await self.source.now()
            found = Marker(phase=Phase.COPYING, id=self.entropy.token_hex(8), peer=self.to_name, began_at=now)
            await self.source.restrict(found)
            self.reached("marked")
        elif found.phase is Phase.LOADING:
            raise BadInput(f"FROM is itself being filled from {found.peer}; finish that first")
        elif found.peer != self.to_name:
            how = "was moved" if found.phase is Phase.MOVED else "is being moved"
            raise BadInput(
                f"FROM {how} to {found.peer}, not to {self.to_name}; `shike move FROM --cancel` gives up a move"
            )
        else:
            self.say(f"going on with the move that began here: {found.phase}")
        await self._check_target(found)
        return found

    async def _check_target(self, found: Marker | None) -> None:
        """TO is this move's, or becomes it if it is empty."""
        theirs = await self.target.marker()
        if theirs is not None and (found is None or theirs.id != found.id):
            raise BadInput(f"TO holds what came from {theirs.peer}; name an empty store, or another namespace")
        if theirs is not None or (found is not None and found.phase is Phase.MOVED):
            return
        if not await is_empty(self.target):
            raise BadInput("TO is in use; move to a new store, or to another namespace of it (--to-namespace)")
        if found is not None:
            await self.target.restrict(replace(found, phase=Phase.LOADING, peer=self.from_name))
            self.reached("claimed")

    # ---------------------------------------------------------------- 2: history, while everything goes on

    async def _history(self, marker: Marker) -> Marker:
        """What is over does not change: copy and compare it, except for the last minutes."""
        for _ in range(ROUNDS_MAX):
            until = await self.source.now() - round(LATE_SECONDS * MICROS)
            if until - marker.copied_until < round(LATE_SECONDS * MICROS):
                break
            span = (marker.copied_until, until)
            async with self.source.snapshot(still=True) as reader:
                copied = await copy(reader, self.target, [Kind.ENDED], span, self.progress)
            wrong = differences(copied, await tallied(self.target, [Kind.ENDED], span))
            if wrong:
                raise StoreError(f"TO does not hold the history of FROM ({'; '.join(wrong)}); cancel, and begin anew")
            self.say(f"history: {copied[Kind.ENDED].count:,} runs that are over, while everything goes on")
            marker = replace(marker, copied_until=until)
            await self.source.restrict(marker)
            self.reached("history")
        return marker

    # ---------------------------------------------------------------- 3: what runs comes to its end

    async def _drained(self, marker: Marker) -> Marker:
        marker = await self._enter(marker, Phase.DRAINING)
        deadline = self.clock.monotonic() + self.grace_seconds
        while running := await self._running():
            if self.clock.monotonic() >= deadline:
                if not self.repeat:
                    await self._enter(marker, Phase.COPYING)
                    raise StillRunning(await self._named(running), count=running)
                await self._take_away()
            await asyncio.sleep(LOOK_SECONDS)
        self.reached("drained")
        return marker

    async def _running(self) -> int:
        """How many runs are leased; what closed sessions held is given back first."""
        for session in await self.source.left_over():
            while (await self.source.free(session.id, FREED_AT_ONCE)).left:
                pass
        return (await self.source.counts()).running

    async def _named(self, count: int) -> str:
        runs = await self.source.runs(RunFilter(states=(State.RUNNING,), limit=LISTED_MAX))
        named = ", ".join(f"{one.run.id} ({one.run.task})" for one in runs)
        more = ", …" if count > len(runs) else ""
        return (
            f"after {self.grace_seconds:g} s there still run {count:,}: {named}{more}. Nothing was moved and work goes "
            "on. Wait longer (--grace 10m), or let them be repeated on TO (--repeat)"
        )

    async def _take_away(self) -> None:
        """Close the sessions that hold something, for ever: what they report from here on is refused."""
        for session in await self.source.sessions():
            if held := await self.source.held(session.id):
                self.say(f"taking {held:,} running from {session.name}: they run again on TO")
                await self.source.close_session(session.id, seen_beat=None, reason="the store is moved")

    # ---------------------------------------------------------------- 4 and 5: the rest, and is it the same

    async def _rest(self, marker: Marker) -> None:
        async with self.source.snapshot(still=True) as reader:
            kinds = [kind for kind in Kind if kind is not Kind.ENDED]
            before = kinds.index(Kind.DEAD)
            self.copied |= await copy(reader, self.target, kinds[:before], progress=self.progress)
            late = (marker.copied_until, 1 << 62)
            self.copied |= await copy(reader, self.target, [Kind.ENDED], late, self.progress)
            self.copied |= await copy(reader, self.target, kinds[before:], progress=self.progress)
        self.reached("copied")

    async def _compare(self, marker: Marker) -> None:
        late = (marker.copied_until, 1 << 62)
        found = await tallied(self.target, SETTLED) | await tallied(self.target, [Kind.ENDED], late)
        wrong = differences(self.copied, found)
        ours = await marks(self.source)
        if _is_behind(await marks(self.target), ours):  # somebody came to FROM since; numbers only grow
            await self.target.load(Kind.MARKS, [ours])
            if _is_behind(await marks(self.target), ours):
                wrong.append("marks: TO would give numbers again that FROM has given")
        now = await self.source.now()
        if self.audited and await self._audit(self.source, now) != await self._audit(self.target, now):
            wrong.append("audit: it tells another story of the last day on TO")
        if wrong:
            raise StoreError(
                f"TO does not hold what FROM does ({'; '.join(wrong)}). FROM is still sealed, and nothing of it was "
                "changed: `shike move FROM --cancel` opens it again"
            )
        self.reached("compared")

    async def _audit(self, store: Store, end: int) -> list[tuple[str, int, int, dict[str, int]]]:
        """What became of the moments of the day before `end`."""
        try:
            report = await audit(store, to_datetime(end - DAY_MICROS), to_datetime(end))
        except TriggerError as error:  # of a program that is newer or older: a reason to look, not to stay
            return [(str(error), 0, 0, {})]
        return [(one.schedule, one.holes, one.doubles, dict(one.fates)) for one in report.schedules]

    # ---------------------------------------------------------------- 6: for ever

    async def _open(self, marker: Marker) -> None:
        theirs = await self.target.marker()
        if theirs is not None and theirs.phase is Phase.LOADING:
            await self.target.restrict(replace(theirs, phase=Phase.OPENED))
        self.reached("opened")

    async def _enter(self, marker: Marker, phase: Phase) -> Marker:
        marker = replace(marker, phase=phase)
        await self.source.restrict(marker)
        self.say(_WORDS[phase].format(to=self.to_name))
        self.reached(phase)
        return marker

    async def cancel(self) -> bool:
        """FROM goes on as before; False: there was nothing to give up. TO keeps what came, and is of no use. Raises
        `BadInput` once FROM has moved."""
        marker = await self.source.marker()
        if marker is None or marker.phase is Phase.OPENED:
            return False
        if marker.phase is Phase.MOVED:
            raise BadInput(f"FROM was moved to {marker.peer} and stays so; to go back, move that store to a new one")
        await self.source.restrict(None)
        return True


def _is_behind(theirs: MarksRecord, ours: MarksRecord) -> bool:
    return theirs.sessions < ours.sessions or theirs.tokens < ours.tokens


_WORDS: Final = {
    Phase.COPYING: "work goes on",
    Phase.DRAINING: "no new work is given out; waiting for what runs",
    Phase.SEALED: "nothing runs; FROM is sealed, and what is left is copied",
    Phase.MOVED: "the same on both sides; FROM sends everybody to {to}",
}

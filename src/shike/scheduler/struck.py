"""Runs before a limit's gate that are on the strike list: they take no permit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from shike.clock import MICROS, WALL_MIN
from shike.limit.bounds import STRIKE_LOOK_SECONDS
from shike.limit.gates import Gate
from shike.limit.strikes import Deed, Strike, Strikes, arguments_of, listed
from shike.model import State
from shike.store.base import Gated, Store
from shike.store.verbs import Move

LOOK_MICROS = round(STRIKE_LOOK_SECONDS * MICROS)
REMEMBERED_MAX = 20_000  # runs that were looked at; then they are looked at anew


class Sifted(Struct, frozen=True):
    """Who may go on to ask, what becomes of some others, and when to look again at those that are held."""

    left: Mapping[str, Sequence[Gated]]
    moves: Sequence[Move] = ()
    again: dict[str, int] = {}


class Struck:
    """Knows the list as of at most `STRIKE_LOOK_SECONDS` ago."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self._read_at = WALL_MIN
        self._listed: list[Strike] = []
        self._strikes = Strikes()
        self._known: dict[int, Strike | None] = {}  # by the list as it is

    async def refresh(self) -> bool:
        """Read the list, if it is time; whether anything is struck."""
        now = self._now()
        if not 0 <= now - self._read_at < LOOK_MICROS:
            self._read_at = now
            found = [strike for strike in await listed(self._store) if not strike.until or now < strike.until]
            if found != self._listed or len(self._known) > REMEMBERED_MAX:
                self._listed, self._strikes = found, Strikes(found)
                self._known.clear()
        return bool(self._strikes)

    async def sift(
        self, waiters: Mapping[str, Sequence[Gated]], gates: Mapping[str, Gate], room: Mapping[str, int]
    ) -> Sifted:
        """Take those out that are struck, of each gate until there are enough that are not. What a codec keeps secret
        is known here by the arguments in the gate only; a worker looks again."""
        if not self._strikes:
            return Sifted(waiters)
        left: dict[str, list[Gated]] = {}
        moves: list[Move] = []
        again: dict[str, int] = {}
        for gate, found in waiters.items():
            left[gate] = []
            for gated in found:
                strike = await self._strike_on(gated, gates[gate])
                if strike is None:
                    left[gate].append(gated)
                elif strike.deed is Deed.HOLD:
                    again[gate] = self._now() + LOOK_MICROS
                else:
                    to = State.SKIPPED if strike.deed is Deed.SKIP else State.CANCELLED
                    moves.append(Move(run_id=gated.run_id, version=gated.version, to=to, reason=strike.words()))
                if len(left[gate]) >= room[gate]:
                    break
        return Sifted(left, moves, again)

    async def _strike_on(self, gated: Gated, gate: Gate) -> Strike | None:
        if gated.run_id not in self._known:
            live = await self._store.live(gated.run_id)
            strike = None
            if live is not None:
                args = arguments_of(live.run.args) | gate.values
                strike = self._strikes.on(live.run, args, self._now())
            self._known[gated.run_id] = strike
        return self._known[gated.run_id]

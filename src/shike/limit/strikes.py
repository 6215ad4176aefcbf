"""The strike list: runs that are not to begin for now, picked by a predicate, with a reason, and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct

from shike.errors import BadPredicate
from shike.limit.bounds import STRIKES_MAX
from shike.limit.predicate import Node, holds, needs_args, parse
from shike.model import Run
from shike.store.base import Store

STRIKES: Final = "strike/"  # + id: control rows


class Deed(StrEnum):
    """What becomes of a run that is struck."""

    HOLD = "hold"  # it waits until the strike is over
    SKIP = "skip"  # it ends SKIPPED, with the reason
    CANCEL = "cancel"  # it ends CANCELLED, with the reason


class Strike(Struct, frozen=True, omit_defaults=True):
    """One entry of the list, as it is stored."""

    id: str
    predicate: str
    reason: str
    deed: Deed = Deed.HOLD
    who: str = ""
    at: int = 0  # when it was made, UTC µs
    until: int = 0  # 0: until it is removed

    def words(self) -> str:
        """What a struck run says of itself."""
        return f"struck by {self.who or 'an operator'} ({self.id}): {self.reason}"


class Strikes:
    """The list as it was last read, ready to be asked."""

    def __init__(self, strikes: Iterable[Strike] = ()) -> None:
        self._parsed: list[tuple[Strike, Node, bool]] = []
        for strike in strikes:
            try:
                node = parse(strike.predicate)
            except BadPredicate:  # a newer program's
                continue
            self._parsed.append((strike, node, needs_args(node)))

    def __bool__(self) -> bool:
        return bool(self._parsed)

    @property
    def need_args(self) -> bool:
        return any(needs for _, _, needs in self._parsed)

    def on(self, run: Run, args: Mapping[str, Any], now: int) -> Strike | None:
        """The first strike that means a run and is not over."""
        for strike, node, _ in self._parsed:
            if (not strike.until or now < strike.until) and holds(node, run, args):
                return strike
        return None


async def listed(store: Store) -> list[Strike]:
    """All of them, oldest first; those that are over, too."""
    rows = await store.controls(STRIKES)
    found = [strike for row in rows if (strike := _read(row.value)) is not None]
    return sorted(found, key=lambda strike: (strike.at, strike.id))[:STRIKES_MAX]


def _read(value: bytes) -> Strike | None:
    try:
        return msgspec.json.decode(value, type=Strike)
    except msgspec.MsgspecError:
        return None


def arguments_of(payload: bytes) -> dict[str, Any]:
    """A run's arguments by name; nothing where they cannot be read."""
    try:
        found = msgspec.json.decode(payload) if payload else {}
    except msgspec.MsgspecError:
        return {}
    return found if isinstance(found, dict) else {}

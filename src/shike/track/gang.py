"""Runs that begin together or not at all: what their row says, and how it changes. Pure.

Members enter lanes like other runs. A worker that is granted one keeps a slot for it and notes that in the gang's row;
whoever notes the last one that is needed flips the go in the same write, a compare-and-set. Where that does not come
about within the gang's time of the first note, whoever sees it first empties the row, and all give their slots back.
All of a gang rest before they try again, and each gang for another time, so that of two which stood in each other's way
one is first (the wish is Volcano's: `minAvailable` and `scheduleTimeoutSeconds`).
"""

from __future__ import annotations

import zlib
from collections.abc import Container, Mapping
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.clock import MICROS
from shike.model import Gang

GANG_KEY: Final = "gang/"  # GANG_KEY + the gang's id: a control row that holds a `Muster`
REST_SHARES: Final = 16  # of a gang's time: so many different rests there are …
REST_ROUNDS_MAX: Final = 4  # … and they grow for so many rounds


class Place(Struct, frozen=True, array_like=True):
    """A slot that is kept for a run: by which session, under which token."""

    session: str
    token: int


class Muster(Struct, frozen=True, omit_defaults=True):
    """How far a gang has come. `places` are by run id."""

    round: int = 0  # how often its slots were given back
    since: int = 0  # when the first place of this round was noted, by the store's clock; 0: none was
    at: int = 0  # when this was written
    until: int = 0  # its members rest so long, also those that had no slot
    go: bool = False
    places: dict[str, Place] = {}


def key_of(gang: Gang) -> str:
    return f"{GANG_KEY}{gang.id}"


def encoded(muster: Muster) -> bytes:
    return msgspec.json.encode(muster)


def decoded(value: bytes) -> Muster:
    return msgspec.json.decode(value, type=Muster)


def noted(muster: Muster, session: str, tokens: Mapping[str, int], now: int) -> Muster:
    """With exactly these places of one session, by run. A run that another one had, and which died there, has moved."""
    others = {run: place for run, place in muster.places.items() if place.session != session and run not in tokens}
    places = others | {run: Place(session, token) for run, token in tokens.items()}
    if places == muster.places:
        return muster
    return replace(muster, since=(muster.since or now) if places else 0, at=now, places=places)


def with_go(muster: Muster, gang: Gang, open_sessions: Container[str]) -> Muster:
    """With the go, if enough of its places are those of sessions that live."""
    alive = sum(place.session in open_sessions for place in muster.places.values())
    return replace(muster, go=True) if alive >= gang.least else muster


def is_late(muster: Muster, gang: Gang, now: int) -> bool:
    """Whether its slots have stood empty for too long."""
    return not muster.go and bool(muster.since) and now - muster.since >= gang.timeout_seconds * MICROS


def emptied(muster: Muster, gang: Gang, now: int) -> Muster:
    """All places are given back, and all rest: the next round."""
    round = muster.round + 1
    return Muster(round=round, at=now, until=now + int(rest_seconds(gang, round) * MICROS))


def rest_seconds(gang: Gang, round: int) -> float:
    """How long all of a gang rest before its next round: a quarter to the whole of its time, for each gang another part
    of it, and more with each round."""
    share = REST_SHARES // 4 + zlib.crc32(f"{gang.id}/{round}".encode()) % (REST_SHARES * 3 // 4 + 1)
    return gang.timeout_seconds * share / REST_SHARES * min(round, REST_ROUNDS_MAX)


def put_off_seconds(muster: Muster, now: int) -> float:
    """For how long a member that is granted now has to rest; 0: it may keep its slot."""
    return max(muster.until - now, 0) / MICROS if not muster.go else 0.0

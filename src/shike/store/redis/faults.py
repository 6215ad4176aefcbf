"""What Redis's error replies mean to a caller."""

from __future__ import annotations

from typing import Final

from shike.errors import AccessDenied, ForeignStore, StoreError, StoreFull, StoreLost, StoreUnavailable
from shike.store.portable import refusal_of

NOSCRIPT: Final = "NOSCRIPT"
MOVING: Final = "MOVING"  # of `lua/base.lua`, as the next
LIFE: Final = "LIFE"
_AGAIN: Final = frozenset({"LOADING", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "READONLY", "MOVED"})
_FULL: Final = frozenset({"OOM", "MISCONF"})
_LOGIN: Final = frozenset({"NOAUTH", "WRONGPASS"})


def code_of(reply: Exception) -> str:
    """The word in front of an error reply."""
    return str(reply).partition(" ")[0]


def explain(reply: Exception, where: str) -> StoreError:
    """The error of ours that says what happened, and what to do next."""
    code, text = code_of(reply), str(reply)
    if code == MOVING:
        return refusal_of(text)
    if code == LIFE:
        return StoreLost(
            f"{where} came back without what this store held, as after FLUSHALL or a restart without its files. "
            "Restore them, or start this process anew: it opens an empty store"
        )
    if code in _FULL:
        return StoreFull(f"{where} has no room ({text}); nothing of this call was written. Make room and repeat it")
    if code in _LOGIN or "AUTH" in text:
        return AccessDenied(f"{where} refuses this user or password ({text}); write redis://user:password@host:port/0")
    if code == "NOPERM":
        return AccessDenied(
            f"{where} does not allow this user all that is needed ({text}); it needs ~{{NAMESPACE:* &{{NAMESPACE:* and "
            "the commands of @all but @dangerous, with INFO"
        )
    if code == "ASK":
        return StoreUnavailable(f"{where} is handing this bucket over to another node; repeat the call in a moment")
    if code in _AGAIN:
        return StoreUnavailable(f"{where} cannot answer now ({text}); the call may be repeated")
    if code == "WRONGTYPE" or "WRONGTYPE" in text:
        return ForeignStore(f"{where} holds keys of another program under our names ({text}); use another namespace")
    return StoreError(f"{where}: {text}")

"""What the server's error codes, and a connection that breaks, mean to a caller."""

from __future__ import annotations

from asyncmy.errors import MySQLError

from shike.errors import BadInput, ForeignStore, StoreError, StoreFrozen, StoreFull, StoreMoved, StoreUnavailable
from shike.store.portable import Marker, Phase, refusal
from shike.store.relational.link import Again, NoDay, Taken

DUPLICATE = 1062
REFUSED = 1644  # by a trigger of ours
NO_PARTITION = 1526  # … for a value
TAKEN_BACK = frozenset({1020, 1205, 1213, 3572})  # changed meanwhile, a lock that did not come in time, a deadlock
FULL = frozenset({1021, 1114})
RIGHTS = frozenset({1044, 1045, 1142, 1143, 1227, 1370, 1698})
MISSING = frozenset({1054, 1109, 1146})  # a column, a table
NO_DATABASE = frozenset({1046, 1049})
READ_ONLY = frozenset({1290, 1836, 1792})
CROWDED = frozenset({1040, 1203, 1226})
BAD_VALUES = frozenset({1264, 1366, 1406, 3854, 3988})
TOO_LARGE = frozenset({1153})
INTERRUPTED = frozenset({1317})
THERE_ALREADY = frozenset({1493, 1517})  # a partition, or a later one
GONE_ALREADY = frozenset({1507})
NOBODY = frozenset({1094})  # to be told
ENDED = frozenset({1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2014, 2055, 4031})  # the connection

BROKEN = (OSError, EOFError)  # a time-out is an OSError


def code_of(error: BaseException) -> int:
    """The server's or the driver's number; 0: none."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


def is_broken(error: BaseException) -> bool:
    """Whether a connection that failed so is of no use any more."""
    return not isinstance(error, MySQLError) or is_end(code_of(error))


def is_end(code: int) -> bool:
    """Whether a number tells that the connection is over."""
    return code == 0 or code in ENDED or 2000 <= code < 3000


def translated(error: BaseException, where: str) -> Exception:
    """The error of ours that says what happened, and what to do next."""
    if isinstance(error, MySQLError) and not is_broken(error):
        ours = explained(code_of(error), words_of(error), where)
    else:
        words = words_of(error) or type(error).__name__
        ours = StoreUnavailable(f"{where} did not answer ({words}); whether it did what was asked is not known: repeat")
    ours.__cause__ = error
    return ours


def words_of(error: BaseException) -> str:
    """What the server or the driver says."""
    return str(error.args[-1]) if error.args else str(error)


def explained(code: int, words: str, where: str) -> Exception:
    """What the server's answer means, by its number."""
    if code == DUPLICATE:
        return Taken(words)
    if code == REFUSED:
        return refused(words)
    if code in TAKEN_BACK:
        return Again(words)
    if code == NO_PARTITION:
        return NoDay(words)
    if code in FULL:
        return StoreFull(f"{where}: the disk or a limit is full ({words}); nothing was written: make room and repeat")
    if code in BAD_VALUES:
        return BadInput(f"the database cannot hold this: {words}")
    if code in TOO_LARGE:
        return BadInput(f"{where}: {words}; raise max_allowed_packet on the server, or ask for less at once")
    if code in RIGHTS:
        return StoreError(f"{where}: {words}; look at user and password, and grant all privileges on the database")
    if code in NO_DATABASE:
        return StoreError(f"{where}: {words}; create it first (create database …), or name another one")
    if code in MISSING:
        return ForeignStore(
            f"{where} does not have the tables this program expects ({words}); bring them back, or start anew where "
            "the whole store is gone: that makes an empty one"
        )
    if code in READ_ONLY:
        return StoreUnavailable(f"{where} takes no writes now ({words}): a replica, or set so. Repeat later")
    if code in CROWDED:
        return StoreUnavailable(
            f"{where}: {words}; give each process fewer (?connections= in the URL), or raise max_connections on the "
            "server"
        )
    return StoreUnavailable(f"{where}: {words}; the call may be repeated")


def refused(words: str) -> StoreFrozen | StoreMoved:
    """What a trigger has said."""
    phase, _, peer = words.partition(" ")
    known = Phase(phase) if phase in Phase._value2member_map_ else Phase.SEALED
    return refusal(Marker(phase=known, id="", peer=peer))

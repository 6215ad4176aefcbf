"""What can be said about an SQLite store in its URL, and what it means."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from shike.errors import BadSetting, BadStoreURL

_NAMESPACE = re.compile(r"[a-z][a-z0-9_]{0,30}")  # it stands in the names of tables
BUSY_SECONDS = 5.0  # how long to wait for another process's transaction; ours take milliseconds


class Synchronous(StrEnum):
    """When a commit counts as written (P8)."""

    FULL = "full"  # after fsync: an accepted run survives a power loss
    NORMAL = "normal"  # survives the death of any process; a power loss may take the last commits
    OFF = "off"  # a power loss may take the whole file; only with `accept_loss=yes`


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of one SQLite store."""

    path: Path
    synchronous: Synchronous = Synchronous.FULL
    shared: bool = False  # the file belongs to another program, whose tables ours may stand beside
    busy_seconds: float = BUSY_SECONDS


def parse(url: str) -> Options:
    """Read `sqlite:///relative.db`, `sqlite:////absolute.db` and the options behind `?`.

    Options: `synchronous` (full, normal, off), `accept_loss=yes` (needed for off), `shared=yes`, `busy_seconds`.
    Raises `BadStoreURL` for a URL that names no file, `BadSetting` for an option that cannot be used.
    """
    parts = urlsplit(url)
    if parts.scheme != "sqlite" or parts.netloc or len(parts.path) < 2 or parts.fragment:
        raise BadStoreURL(f"{url!r} names no file; write sqlite:///shike.db or sqlite:////var/lib/shike.db")
    path = unquote(parts.path[1:])
    if path == ":memory:":
        raise BadStoreURL(f"{url!r}: SQLite's own memory cannot be shared by threads; write memory://")
    if "\0" in path or not _is_text(path):
        raise BadStoreURL(f"{url!r} holds signs that no file name can have")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    accept_loss = _yes(given, "accept_loss")
    options = Options(
        path=Path(path),
        synchronous=_synchronous(given.pop("synchronous", "full"), accept_loss=accept_loss),
        shared=_yes(given, "shared"),
        busy_seconds=_seconds(given.pop("busy_seconds", str(BUSY_SECONDS))),
    )
    if given:
        known = "synchronous, accept_loss, shared, busy_seconds"
        raise BadSetting(f"SQLite stores have no option {', '.join(sorted(given))}; they have {known}")
    return options


def check_namespace(namespace: str) -> None:
    """Raises `BadSetting` for a namespace that cannot begin the name of a table."""
    if not _NAMESPACE.fullmatch(namespace):
        raise BadSetting(f"namespace {namespace!r} is not a short lower-case word (a-z, 0-9, _)")


def _is_text(path: str) -> bool:
    try:
        path.encode(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
    except UnicodeEncodeError:
        return False
    return True


def _synchronous(text: str, *, accept_loss: bool) -> Synchronous:
    try:
        chosen = Synchronous(text.lower())
    except ValueError:
        raise BadSetting(f"synchronous={text} is not one of full, normal, off") from None
    if chosen is Synchronous.OFF and not accept_loss:
        raise BadSetting("synchronous=off can lose the whole file at a power loss; say accept_loss=yes if that is fine")
    return chosen


def _yes(given: dict[str, str], name: str) -> bool:
    text = given.pop(name, "no").lower()
    if text not in ("yes", "no", "1", "0", "true", "false"):
        raise BadSetting(f"{name}={text} is neither yes nor no")
    return text in ("yes", "1", "true")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise BadSetting(f"busy_seconds={text} is not a number") from None
    if not 0 <= seconds <= 3600:
        raise BadSetting(f"busy_seconds={text} is not between 0 and 3600")
    return seconds

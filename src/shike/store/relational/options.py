"""What the URLs of server databases have in common."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from urllib.parse import SplitResult

from shike.errors import BadSetting, BadStoreURL

CONNECTIONS = 8  # of one event loop: two flushes, a claim, submits and reads at once, and one to spare
CALL_SECONDS = 30.0  # a statement that takes longer is lost; the verb will be repeated
CONNECT_SECONDS = 10.0

_NAMESPACE = re.compile(r"[a-z][a-z0-9_]{0,30}")  # it stands in the names of tables


def safe(parts: SplitResult, *, several: bool = False) -> str:
    """The URL without its password and options. `several`: it may name more than one server."""
    user = f"{parts.username}@" if parts.username else ""
    hosts = parts.netloc.rpartition("@")[2]
    if several and "," in hosts:
        return f"{parts.scheme}://{user}{hosts}{parts.path}"
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise BadStoreURL(
            f"the port in a URL of {parts.hostname} is no number from 1 to 65535; what a password has of : / ? # @ has "
            "to be percent-encoded"
        ) from None
    return f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"


def check_names(kind: str, given: Iterable[str], ours: Sequence[str], theirs: Sequence[str], whose: str) -> None:
    """Raises `BadSetting` for an option that is neither ours nor the driver's (`whose` says who made those)."""
    known = (*ours, *theirs)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"they have {', '.join(ours)}, and those of {whose}"
            raise BadSetting(f"{kind} stores have no option {name}; {hint}")


def accepted(text: str, losses: Collection[str]) -> frozenset[str]:
    """The words of `accept=`."""
    words = frozenset(filter(None, (word.strip() for word in text.split(","))))
    for word in sorted(words.difference(losses)):
        raise BadSetting(f"accept={word} is not one of {', '.join(losses)}")
    return words


def yes(name: str, text: str) -> bool:
    if text.lower() not in ("yes", "no", "1", "0", "true", "false"):
        raise BadSetting(f"{name}={text} is neither yes nor no")
    return text.lower() in ("yes", "1", "true")


def number(name: str, text: str, low: float, high: float) -> float:
    try:
        found = float(text)
    except ValueError:
        raise BadSetting(f"{name}={text} is not a number") from None
    if not low <= found <= high:
        raise BadSetting(f"{name}={text} is not between {low:g} and {high:g}")
    return found


def check_namespace(namespace: str) -> None:
    """Raises `BadSetting` for a namespace that cannot begin the name of a table."""
    if not _NAMESPACE.fullmatch(namespace):
        raise BadSetting(f"namespace {namespace!r} is not a short lower-case word (a-z, 0-9, _)")

"""What can be said about a Redis store in its URL, and what it means."""

from __future__ import annotations

import difflib
import re
import socket
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from shike.clock import MICROS
from shike.errors import BadSetting, BadStoreURL
from shike.store.opening import unreadable, without_secrets

PORT: Final = 6379
CALL_SECONDS: Final = 5.0  # for one call: half of a lease, so that a beat can be repeated within it
WAIT_MILLIS: Final = 1_000
SLICE_SECONDS: Final = 60.0
BUCKETS_OF_CLUSTERS: Final = 64
HISTORY_HOURS: Final = 24.0
HISTORY_RUNS: Final = 1_000_000  # about 250 MB
PORT_MAX: Final = 65_535
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
ARCHIVES: Final = ("sqlite://", "postgresql://", "postgres://", "mysql://", "mariadb://")
_ADDRESS: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(:(?P<port>\d*))?")
NAMESPACE: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")


class Accepted(StrEnum):
    """What may be lost, to be accepted by name (P8)."""

    NO_AOF = "no-aof"  # no append-only file: all since the last snapshot, or all, is lost when the server dies
    NO_FSYNC = "no-fsync"  # an append-only file not forced to the disk, or not always: half a minute at power loss
    EVICTION = "eviction"  # keys are dropped when memory is full: runs, leases, anything
    ARCHIVE = "archive"  # the archive of a store elsewhere is taken over; that one, if it lives, archives no more


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of one Redis store."""

    hosts: tuple[tuple[str, int], ...]
    cluster: bool = False
    tls: bool = False
    tls_ca: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    accept: frozenset[Accepted] = frozenset()
    slices: bool | None = None  # None: where there are several virtual buckets
    slice_seconds: float = SLICE_SECONDS
    call_seconds: float = CALL_SECONDS
    wait: int = 0  # replicas that must have a write before it counts
    wait_millis: int = WAIT_MILLIS
    history_hours: float = HISTORY_HOURS
    history_runs: int = HISTORY_RUNS
    history_url: str | None = field(default=None, repr=False)  # where the history is kept for longer; "": nowhere now

    @property
    def virtual_buckets(self) -> int:
        """With how many a store is made that is asked for none: on a cluster they share the nodes."""
        return BUCKETS_OF_CLUSTERS if self.cluster else 1

    def slice_micros(self, virtual_buckets: int) -> int:
        """How long a slice is in a store that is made with so many; 0: it has none."""
        slices = virtual_buckets > 1 if self.slices is None else self.slices
        return round(self.slice_seconds * MICROS) if slices else 0

    @property
    def where(self) -> str:
        """Whom we talk to, for messages: no password in it."""
        return ", ".join(f"{host}:{port}" for host, port in self.hosts)

    @property
    def places(self) -> frozenset[str]:
        """Where the store is, as it can be told from stores elsewhere: a loopback address says it with the machine."""
        return frozenset(f"{_from_afar(host)}:{port}/{self.database}" for host, port in self.hosts)


KNOWN: Final = (
    "accept", "slices", "slice_seconds", "timeout_seconds", "wait", "wait_ms", "history_hours",
    "history_runs", "history_url", "tls_ca",
)  # fmt: skip


def parse(url: str) -> Options:
    """Read `redis://user:password@host:port/db`, `rediss://…` for TLS, `redis+cluster://host:port,host:port/` and
    `rediss+cluster://…`, and the options behind `?`: those of `KNOWN`.

    Raises `BadStoreURL` for a URL that names no server, `BadSetting` for an option that cannot be used.
    """
    parts = _split(url)
    cluster = parts.scheme.endswith("+cluster")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    login, _, addresses = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    options = Options(
        hosts=_hosts(url, addresses),
        cluster=cluster,
        tls=parts.scheme.startswith("rediss"),
        tls_ca=given.pop("tls_ca", ""),
        user=unquote(user),
        password=unquote(password),
        database=_database(url, parts.path, cluster=cluster),
        accept=_accepted(given.pop("accept", "")),
        slices=_yes(given, "slices"),
        slice_seconds=_number(given, "slice_seconds", SLICE_SECONDS, 0.001, 86_400),
        call_seconds=_number(given, "timeout_seconds", CALL_SECONDS, 0.01, 600),
        wait=int(_number(given, "wait", 0, 0, 100)),
        wait_millis=int(_number(given, "wait_ms", WAIT_MILLIS, 1, 600_000)),
        history_hours=_number(given, "history_hours", HISTORY_HOURS, 0, 1e6),
        history_runs=int(_number(given, "history_runs", HISTORY_RUNS, 1, 1e9)),
        history_url=_archive(given.pop("history_url", None)),
    )
    if given:
        raise BadSetting("; ".join(_unknown(name) for name in sorted(given)))
    if options.wait and options.wait_millis > options.call_seconds * 1_000:
        raise BadSetting(
            f"wait_ms={options.wait_millis} is longer than timeout_seconds={options.call_seconds:g}: an answer that "
            "takes so long counts as lost; wait for less, or set timeout_seconds higher"
        )
    return options


def check_namespace(namespace: str) -> None:
    """Raises `BadSetting` for a namespace that cannot stand in a hash tag."""
    if not NAMESPACE.fullmatch(namespace):
        raise BadSetting(f"namespace {namespace!r} is not a short lower-case word (a-z, 0-9, _)")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise BadStoreURL(f"{unreadable(url)!r} cannot be read ({error}); write redis://host:6379/0") from error
    if parts.scheme not in ("redis", "rediss", "redis+cluster", "rediss+cluster") or parts.fragment:
        raise BadStoreURL(
            f"{unreadable(url)!r} names no Redis server; write redis://host:6379/0 or redis+cluster://host:7000/, and "
            "what a password has of : / ? # @ percent-encoded"
        )
    return parts


def _hosts(url: str, addresses: str) -> tuple[tuple[str, int], ...]:
    found = []
    for address in addresses.split(","):
        match = _ADDRESS.fullmatch(address)
        if match is None or int(match["port"] or PORT) > PORT_MAX:
            raise BadStoreURL(
                f"{unreadable(url)!r} names no host with a port that could be one; write host:{PORT}, and what a "
                "password has of : / ? # @ percent-encoded"
            )
        found.append((match["host"].strip("[]") or "127.0.0.1", int(match["port"] or PORT)))
    return tuple(found)


def _from_afar(host: str) -> str:
    return f"localhost of {socket.gethostname()}" if host in LOOPBACK else host


def _database(url: str, path: str, *, cluster: bool) -> int:
    text = path.strip("/") or "0"
    if not text.isdecimal() or (cluster and text != "0"):
        raise BadStoreURL(
            f"{unreadable(url)!r} names no database; they are numbers, a cluster has only 0, and what a password has "
            "of : / ? # @ is percent-encoded"
        )
    return int(text)


def _accepted(text: str) -> frozenset[Accepted]:
    found = set()
    for name in filter(None, text.split(",")):
        if name not in list(Accepted):
            raise BadSetting(f"accept={name} is none of {', '.join(Accepted)}")
        found.add(Accepted(name))
    return frozenset(found)


def _archive(url: str | None) -> str | None:
    """The driver of an archive is loaded when it is needed; a URL that cannot be one is refused now."""
    if url and not url.startswith(ARCHIVES):
        raise BadSetting(
            f"history_url={without_secrets(url)} is no archive: name a SQLite file, PostgreSQL or MariaDB "
            f"({', '.join(ARCHIVES)}); within a URL it is percent-encoded"
        )
    return url


def _yes(given: dict[str, str], name: str) -> bool | None:
    """None: it was not said."""
    if name not in given:
        return None
    text = given.pop(name).lower()
    if text not in ("on", "off", "yes", "no", "1", "0", "true", "false"):
        raise BadSetting(f"{name}={text} is neither on nor off")
    return text in ("on", "yes", "1", "true")


def _number(given: dict[str, str], name: str, otherwise: float, least: float, most: float) -> float:
    text = given.pop(name, str(otherwise))
    try:
        value = float(text)
    except ValueError:
        raise BadSetting(f"{name}={text} is not a number") from None
    if not least <= value <= most:
        raise BadSetting(f"{name}={text} is not between {least:g} and {most:g}")
    return value


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, KNOWN, 1)
    hint = f"did you mean {near[0]}?" if near else f"they have {', '.join(KNOWN)}"
    return f"Redis stores have no option {name!r}; {hint}"

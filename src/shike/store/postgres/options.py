"""What can be said about a PostgreSQL store in its URL, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from shike.errors import BadStoreURL
from shike.store.relational.options import (
    CALL_SECONDS,
    CONNECT_SECONDS,
    CONNECTIONS,
    accepted,
    check_names,
    number,
    safe,
    yes,
)

SCHEMES = frozenset({"postgresql", "postgres"})
LOSSES = {  # what may be accepted, by the word it is accepted with
    "synchronous-commit-off": "the last commits (by default up to 0.6 s of them) are lost when the server crashes",
    "fsync-off": "the whole database can be damaged beyond repair when the machine crashes",
}
OURS = ("accept", "listen_url", "pooled", "connections", "call_seconds", "connect_seconds")
THEIRS = (  # of libpq, handed on to asyncpg
    "host", "port", "user", "password", "database", "dbname", "passfile", "sslmode", "sslcert", "sslkey", "sslrootcert",
    "sslcrl", "sslpassword", "ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs",
    "search_path", "application_name", "options",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of one PostgreSQL store."""

    dsn: str  # for asyncpg, with all that is not ours
    where: str  # for people: without a password
    listen_dsn: str = ""  # of the connection that is told of commits; empty: the same server
    accept: frozenset[str] = frozenset()
    pooled: bool | None = None  # whether a transaction pooler stands between; None: found out
    connections: int = CONNECTIONS
    call_seconds: float = CALL_SECONDS
    connect_seconds: float = CONNECT_SECONDS


def parse(url: str) -> Options:
    """Read `postgresql://user:password@host:port/database?…`. Several servers, of which one is written to, are named
    as `host:port,host:port` with `target_session_attrs=primary`: after a failover the other one is found.

    Options: `accept` (words of `LOSSES`, joined by commas), `listen_url` (a direct way to the server, percent-encoded,
    where a transaction pooler stands between: notifications cannot pass it), `pooled=yes` (it does; found out by
    itself if not said), `connections` (per event loop), `call_seconds`, `connect_seconds`; and those of libpq
    (`sslmode`, `host` with the folder of a unix socket, `search_path` …). Raises `BadStoreURL`, `BadSetting`.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or parts.fragment:
        raise BadStoreURL(
            f"{safe(parts, several=True)!r} is no PostgreSQL URL; write postgresql://user@host:5432/database"
        )
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not unquote(parts.path).strip("/") and not (given.get("database") or given.get("dbname")):
        raise BadStoreURL(
            f"{safe(parts, several=True)!r} names no database; write postgresql://user@host:5432/database"
        )
    check_names("PostgreSQL", given, OURS, THEIRS, "libpq")
    ours = {name: given.pop(name) for name in OURS if name in given}
    query = f"?{urlencode(given, quote_via=quote, safe='')}" if given else ""
    dsn = f"postgresql://{parts.netloc}{parts.path}{query}"  # `urlunsplit` would drop an empty host
    return Options(
        dsn=dsn,
        where=safe(parts, several=True),
        listen_dsn=ours.get("listen_url", ""),
        accept=accepted(ours.get("accept", ""), LOSSES),
        pooled=yes("pooled", ours["pooled"]) if "pooled" in ours else None,
        connections=int(number("connections", ours.get("connections", str(CONNECTIONS)), 1, 1000)),
        call_seconds=number("call_seconds", ours.get("call_seconds", str(CALL_SECONDS)), 0.1, 3600),
        connect_seconds=number("connect_seconds", ours.get("connect_seconds", str(CONNECT_SECONDS)), 0.1, 3600),
    )

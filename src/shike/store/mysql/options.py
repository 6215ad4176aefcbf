"""What can be said about a MySQL or MariaDB store in its URL, and what it means."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from shike.errors import BadSetting, BadStoreURL
from shike.store.relational.options import (
    CALL_SECONDS,
    CONNECT_SECONDS,
    CONNECTIONS,
    accepted,
    check_names,
    number,
    safe,
)

SCHEMES = frozenset({"mysql", "mariadb"})
LOSSES = {  # what may be accepted, by the word it is accepted with
    "flush-log": "the commits of about the last second are lost when the server (0) or its machine (0 and 2) crashes",
    "sync-binlog": "the last commits are taken back when the machine crashes: the binary log does not have them",
    "doublewrite-off": "the whole database can be damaged beyond repair when the machine crashes",
    "nosync": "files are not forced to the disk: the last commits, or the whole database, when the machine crashes",
}
OURS = ("accept", "connections", "call_seconds", "connect_seconds")
THEIRS = ("unix_socket", "ssl", "ssl_ca", "ssl_cert", "ssl_key")
SSL_MODES = ("off", "required", "verify")


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of one MySQL store."""

    words: dict[str, Any]  # for asyncmy
    where: str  # for people: without a password
    accept: frozenset[str] = frozenset()
    connections: int = CONNECTIONS
    call_seconds: float = CALL_SECONDS
    connect_seconds: float = CONNECT_SECONDS


def parse(url: str) -> Options:
    """Read `mysql://user:password@host:port/database?…` (or `mariadb://…`).

    Options: `accept` (words of `LOSSES`, joined by commas), `connections` (per event loop), `call_seconds`,
    `connect_seconds`, `unix_socket` (the path of one), `ssl` (`off`; `required`: encrypted; `verify`: and the server's
    certificate is checked, with `ssl_ca` if it is not signed by a known authority), `ssl_cert` and `ssl_key` (the files
    of a client's certificate). Raises `BadStoreURL`, `BadSetting`.
    """
    parts = urlsplit(url)
    where = safe(parts)
    if parts.scheme not in SCHEMES or parts.fragment:
        raise BadStoreURL(f"{where!r} is no MySQL URL; write mysql://user@host:3306/database")
    database = unquote(parts.path).strip("/")
    if not database or "/" in database:
        raise BadStoreURL(f"{where!r} names no database; write mysql://user@host:3306/database")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    check_names("MySQL", given, OURS, THEIRS, "asyncmy")
    connect_seconds = number("connect_seconds", given.get("connect_seconds", str(CONNECT_SECONDS)), 0.1, 3600)
    words = _words(parts, database, given) | {"connect_timeout": connect_seconds}
    return Options(
        words={key: value for key, value in words.items() if value is not None},
        where=where,
        accept=accepted(given.get("accept", ""), LOSSES),
        connections=int(number("connections", given.get("connections", str(CONNECTIONS)), 1, 1000)),
        call_seconds=number("call_seconds", given.get("call_seconds", str(CALL_SECONDS)), 0.1, 3600),
        connect_seconds=connect_seconds,
    )


def _words(parts: SplitResult, database: str, given: dict[str, str]) -> dict[str, Any]:
    return {
        "host": parts.hostname or "127.0.0.1",
        "port": parts.port or 3306,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password or "").encode(),
        "database": database,
        "unix_socket": given.get("unix_socket"),
        "ssl": _encryption(given),
    }


def _encryption(given: dict[str, str]) -> ssl.SSLContext | None:
    mode = given.get("ssl", "verify" if "ssl_ca" in given else "required" if "ssl_cert" in given else "off")
    if mode not in SSL_MODES:
        raise BadSetting(f"ssl={mode} is not one of {', '.join(SSL_MODES)}")
    if mode == "off":
        return None
    try:
        context = ssl.create_default_context(cafile=given.get("ssl_ca"))
        if "ssl_cert" in given:
            context.load_cert_chain(given["ssl_cert"], given.get("ssl_key"))
    except (OSError, ssl.SSLError) as error:
        raise BadSetting(f"the certificates named by ssl_ca, ssl_cert and ssl_key cannot be read: {error}") from None
    if mode == "required":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context

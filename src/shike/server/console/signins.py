"""What a browser is let in by: a random cookie, of which the store keeps a hash; and links that let in once.

A sign-in with an access key ends with that key: revoked, it lets nobody in, wherever they signed in. A sign-in by a
link (`shike open`: whoever can open the store) stands for itself, for as long as any: SIGN_IN_SECONDS.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

import msgspec
from msgspec import Struct

from shike.clock import MICROS, Clock
from shike.errors import Conflict, NotAuthenticated, TooLarge
from shike.ids import Entropy
from shike.model import NEVER
from shike.server.bounds import (
    KEY_BYTES,
    KEY_REMEMBERED_SECONDS,
    KEYS_REMEMBERED_MAX,
    LINK_SECONDS,
    SIGN_IN_SECONDS,
    SIGN_INS_MAX,
)
from shike.server.console.page import CONSOLE
from shike.server.keys import Keys
from shike.server.roles import MACHINES, Access, Role
from shike.store.base import Control, Store

PREFIX: Final = "signin/"  # of the control rows of sign-ins
LINK: Final = "signin-link/"  # … and of links
_SECRET: Final = re.compile(r"[0-9a-f]{64}")
WORDS: Final = "sign in first"
MACHINE: Final = "this key is a machine's; people sign in with a viewer's, operator's, editor's or admin's"
USED: Final = "this link was used, or is too old; `shike open` makes a new one"


class SignIn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the store keeps of one sign-in, or of a link. Fields are only ever added, each with a default."""

    version: int = 1
    key: str = ""  # the id of the access key; empty: by a link
    name: str = ""
    role: Role = Role.VIEWER
    expires_at: int = NEVER


class SignIns:
    """The sign-ins of one store."""

    def __init__(self, store: Store, keys: Keys, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._entropy = entropy
        self._known: dict[str, tuple[float, Access]] = {}

    async def by_key(self, text: str) -> tuple[str, Access]:
        """Let in whoever shows a valid access key; the cookie's secret, and who it is. Raises `NotAuthenticated`."""
        access = await self._keys.who(text.strip())
        if access.role in MACHINES:
            raise NotAuthenticated(MACHINE)
        return await self._begin(SignIn(key=access.id, name=access.name, role=access.role)), access

    async def link(self, name: str, role: Role) -> str:
        """The secret of a link that lets in once, within LINK_SECONDS."""
        secret, now = self._entropy.token_hex(KEY_BYTES), await self._store.now()
        record = SignIn(name=name, role=role, expires_at=now + round(LINK_SECONDS * MICROS))
        await self._store.put(f"{LINK}{_digest(secret)}", msgspec.json.encode(record), expect=0)
        return secret

    async def by_link(self, secret: str) -> tuple[str, Access]:
        """Let in whoever shows a link's secret first. Raises `NotAuthenticated`."""
        row = await self._row(LINK, secret)
        if row is None or (record := _decode(row.value)).expires_at <= await self._store.now():
            raise NotAuthenticated(USED)
        try:
            await self._store.put(row.key, None, expect=row.version)
        except Conflict:
            raise NotAuthenticated(USED) from None
        cookie = await self._begin(SignIn(name=record.name, role=record.role))
        return cookie, await self.who(cookie)

    async def who(self, cookie: str) -> Access:
        """Whose cookie this is. Raises `NotAuthenticated`."""
        known = self._known.get(cookie)
        if known is not None and known[0] > self._clock.monotonic():
            return known[1]
        self._known.pop(cookie, None)
        row = await self._row(PREFIX, cookie)
        if row is None or (record := _decode(row.value)).expires_at <= await self._store.now():
            raise NotAuthenticated(WORDS)
        if record.key:
            access = await self._keys.of_id(record.key)
        else:
            access = Access(id=f"link-{_digest(cookie)[:8]}", name=record.name, role=record.role)
        if len(self._known) >= KEYS_REMEMBERED_MAX:
            self._known.clear()
        self._known[cookie] = (self._clock.monotonic() + KEY_REMEMBERED_SECONDS, access)
        return access

    async def end(self, cookie: str) -> None:
        """It lets nobody in any more; repeating is harmless."""
        self._known.pop(cookie, None)
        row = await self._row(PREFIX, cookie)
        if row is not None:
            await self._store.put(row.key, None, expect=None)

    async def _begin(self, record: SignIn) -> str:
        await self._forget_old()
        cookie, now = self._entropy.token_hex(KEY_BYTES), await self._store.now()
        placed = msgspec.structs.replace(record, expires_at=now + round(SIGN_IN_SECONDS * MICROS))
        await self._store.put(f"{PREFIX}{_digest(cookie)}", msgspec.json.encode(placed), expect=0)
        return cookie

    async def _forget_old(self) -> None:
        now = await self._store.now()
        for prefix in (PREFIX, LINK):
            rows = await self._store.controls(prefix)
            old = [row for row in rows if _decode(row.value).expires_at <= now]
            for row in old:
                await self._store.put(row.key, None, expect=None)
            if len(rows) - len(old) >= SIGN_INS_MAX:
                raise TooLarge(f"{SIGN_INS_MAX:,} are signed in", size=len(rows), limit=SIGN_INS_MAX)

    async def _row(self, prefix: str, secret: str) -> Control | None:
        if not _SECRET.fullmatch(secret):
            return None
        rows = await self._store.controls(f"{prefix}{_digest(secret)}")
        return rows[0] if rows else None


def link_at(url: str, secret: str) -> str:
    """The address of a link. What stands behind the `#` stays in the browser: no log and no proxy gets to see it."""
    return f"{url}{CONSOLE}/sign-in#once={secret}"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


_decode = msgspec.json.Decoder(SignIn).decode

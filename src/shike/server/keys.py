"""Access keys: made of chance, shown once, stored as a hash, scoped to queues, rotated, revoked.

A key is `shike_ID_SECRET`. The id is no secret: logs and lists tell it. Of the 256 random bits of the secret the store
has only the SHA-256: as long as that cannot be guessed, a slow hash would protect nothing and slow down everything.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.clock import MICROS, Clock, to_datetime
from shike.errors import BadInput, Conflict, NotAuthenticated, NotFound, TooLarge
from shike.ids import Entropy
from shike.model import NEVER
from shike.server.bounds import KEY_BYTES, KEY_REMEMBERED_SECONDS, KEYS_MAX, KEYS_REMEMBERED_MAX, ROTATION_SECONDS
from shike.server.roles import Access, Role
from shike.store.base import Control, Store
from shike.task import check_name, check_queue

PREFIX: Final = "access/"  # of the control rows that keep them
ID_BYTES: Final = 4
DAYS_MAX: Final = 3_650.0
DAY_SECONDS: Final = 86_400.0
_TEXT: Final = re.compile(r"shike_([0-9a-f]{8})_([0-9a-f]{64})")
WORDS: Final = "this needs a valid access key: send `Authorization: Bearer shike_…`; `shike keys create` makes one"


class KeyRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the store keeps of a key. Fields are only ever added, each with a default."""

    version: int = 1
    id: str
    name: str
    role: Role
    digest: str
    queues: tuple[str, ...] = ()
    per_second: float = 0.0
    created_at: int = NEVER
    expires_at: int = NEVER
    old_digest: str = ""  # of the secret before the last rotation, which works …
    old_until: int = NEVER  # … until then
    revoked_at: int = NEVER
    by: str = ""


class KeyFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key as it is listed: never with its secret, nor with what the store keeps of that."""

    id: str
    name: str
    role: Role
    queues: tuple[str, ...] = ()
    per_second: float = 0.0
    created_at: datetime
    expires_at: datetime | None = None
    rotating_until: datetime | None = None
    revoked_at: datetime | None = None
    by: str = ""


class NewKey(Struct, frozen=True, kw_only=True):
    """A key with its secret: shown this once."""

    key: str
    facts: KeyFacts


class Keys:
    """The access keys of one store. What was verified is remembered for KEY_REMEMBERED_SECONDS."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._known: dict[bytes, tuple[float, Access]] = {}

    async def make(
        self,
        name: str,
        role: Role,
        *,
        queues: Sequence[str] = (),
        days: float = 0.0,
        per_second: float = 0.0,
        by: str = "",
    ) -> NewKey:
        """A new key. `days`: how long it is valid; 0: until it is revoked. Raises `BadInput`."""
        check_name("key", name)
        for queue in queues:
            check_queue(queue)
        if not 0 <= days <= DAYS_MAX:
            raise BadInput(f"a key is valid for up to {DAYS_MAX:,.0f} days, or for ever (0)")
        if not 0 <= per_second <= 1e9:
            raise BadInput("per_second is a number of requests, 0 for the usual one")
        if len(await self._store.controls(PREFIX)) >= KEYS_MAX:
            raise TooLarge(f"there are {KEYS_MAX:,} keys already", size=KEYS_MAX, limit=KEYS_MAX)
        now = await self._store.now()
        secret = self._entropy.token_hex(KEY_BYTES)
        record = KeyRecord(
            id=self._entropy.token_hex(ID_BYTES),
            name=name,
            role=role,
            digest=_digest(secret),
            queues=tuple(queues),
            per_second=per_second,
            created_at=now,
            expires_at=now + round(days * DAY_SECONDS * MICROS) if days else NEVER,
            by=by,
        )
        await self._store.put(f"{PREFIX}{record.id}", msgspec.json.encode(record), expect=0)
        return NewKey(key=f"shike_{record.id}_{secret}", facts=facts(record, now))

    async def rotate(self, key_id: str, *, grace_seconds: float = ROTATION_SECONDS) -> NewKey:
        """A new secret for a key; the old one works beside it for the grace, so that nothing stands still."""
        row, record = await self._row(key_id)
        if record.revoked_at:
            raise Conflict(f"key {key_id} was revoked; make a new one")
        if not 0 <= grace_seconds <= DAYS_MAX * DAY_SECONDS:
            raise BadInput("the grace of a rotation is a number of seconds, 0 for none")
        now, secret = await self._store.now(), self._entropy.token_hex(KEY_BYTES)
        old_until = now + round(grace_seconds * MICROS)
        fresh = replace(record, digest=_digest(secret), old_digest=record.digest, old_until=old_until)
        await self._write(row, fresh)
        return NewKey(key=f"shike_{record.id}_{secret}", facts=facts(fresh, now))

    async def revoke(self, key_id: str) -> KeyFacts:
        """It is valid no more: here at once, on other servers within KEY_REMEMBERED_SECONDS. Repeating is harmless."""
        row, record = await self._row(key_id)
        now = await self._store.now()
        fresh = record if record.revoked_at else replace(record, revoked_at=now)
        await self._write(row, fresh)
        return facts(fresh, now)

    async def listing(self) -> list[KeyFacts]:
        """All keys, revoked ones too, by when they were made."""
        now = await self._store.now()
        records = [_decode(row.value) for row in await self._store.controls(PREFIX)]
        return [facts(record, now) for record in sorted(records, key=lambda one: one.created_at)]

    async def any_valid(self) -> bool:
        """Whether there is a key with which somebody could get in."""
        now = await self._store.now()
        return any(_is_valid(_decode(row.value), now) for row in await self._store.controls(PREFIX))

    async def who(self, text: str) -> Access:
        """Whose key this is. Raises `NotAuthenticated`, which never says what was wrong with it."""
        fingerprint = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        known = self._known.get(fingerprint)
        if known is not None and known[0] > self._clock.monotonic():
            return known[1]
        match = _TEXT.fullmatch(text)
        if match is None:
            raise NotAuthenticated(WORDS)
        record = await self._find(match[1])
        if record is None or not _fits(record, match[2], await self._store.now()):
            raise NotAuthenticated(WORDS)
        access = _access(record)
        if len(self._known) >= KEYS_REMEMBERED_MAX:
            self._known.clear()
        self._known[fingerprint] = (self._clock.monotonic() + KEY_REMEMBERED_SECONDS, access)
        return access

    async def of_id(self, key_id: str) -> Access:
        """Whose key has this id: for who showed its secret before. Raises `NotAuthenticated` once it is void."""
        record = await self._find(key_id)
        if record is None or record.id != key_id or not _is_valid(record, await self._store.now()):
            raise NotAuthenticated(WORDS)
        return _access(record)

    async def _find(self, key_id: str) -> KeyRecord | None:
        rows = await self._store.controls(f"{PREFIX}{key_id}")
        return _decode(rows[0].value) if rows else None

    async def _row(self, key_id: str) -> tuple[Control, KeyRecord]:
        rows = [row for row in await self._store.controls(f"{PREFIX}{key_id}") if row.key == f"{PREFIX}{key_id}"]
        if not rows:
            raise NotFound(f"there is no access key {key_id!r:.40}; `shike keys list` shows them")
        return rows[0], _decode(rows[0].value)

    async def _write(self, row: Control, record: KeyRecord) -> None:
        await self._store.put(row.key, msgspec.json.encode(record), expect=row.version)
        self._known.clear()


def facts(record: KeyRecord, now: int) -> KeyFacts:
    """What may be shown of a key."""
    return KeyFacts(
        id=record.id,
        name=record.name,
        role=record.role,
        queues=record.queues,
        per_second=record.per_second,
        created_at=to_datetime(record.created_at),
        expires_at=to_datetime(record.expires_at) if record.expires_at else None,
        rotating_until=to_datetime(record.old_until) if record.old_until > now else None,
        revoked_at=to_datetime(record.revoked_at) if record.revoked_at else None,
        by=record.by,
    )


def _access(record: KeyRecord) -> Access:
    return Access(id=record.id, name=record.name, role=record.role, queues=record.queues, per_second=record.per_second)


def _is_valid(record: KeyRecord, now: int) -> bool:
    return not record.revoked_at and (not record.expires_at or now < record.expires_at)


def _fits(record: KeyRecord, secret: str, now: int) -> bool:
    """Both secrets are compared, in constant time, whichever it is."""
    digest = _digest(secret)
    is_new = hmac.compare_digest(digest, record.digest)
    is_old = hmac.compare_digest(digest, record.old_digest or "-") and now < record.old_until
    return (is_new or is_old) and _is_valid(record, now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


_decode = msgspec.json.Decoder(KeyRecord).decode

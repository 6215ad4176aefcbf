"""What is looked at before a server is used: whether it can be, what it may lose (P8), whose keys it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from shike.errors import (
    BadSetting,
    BadStoreURL,
    ForeignStore,
    StoreError,
    StoreLost,
    StoreUnavailable,
    UnsafeStore,
)
from shike.ids import SystemEntropy
from shike.model import Bucket
from shike.store.redis.options import Accepted, Options
from shike.store.redis.records import facts
from shike.store.redis.server import Server
from shike.store.redis.sessions import pack_bucket
from shike.store.redis.wire import Address

FORMAT: Final = 1
OLDEST: Final = (6, 2)
SKIPPED: Final = 1_000  # numbers that a life before may have given to sessions of which nothing is over


@dataclass(frozen=True, slots=True)
class Risk:
    """Something of which a server may lose what it has accepted."""

    accept: Accepted
    words: str

    @property
    def advice(self) -> str:
        return f"{self.words}; or accept it: ?accept={self.accept}"


async def check(server: Server, tags: Sequence[bytes], options: Options) -> list[Risk]:
    """Raises an error of ours where one of the servers that have these buckets cannot be used, `UnsafeStore` for a risk
    that was not accepted; gives the accepted ones."""
    risks: dict[Risk, list[str]] = {}
    settings = await _settings(server, tags)
    for address, answer in (await server.each(tags, b"INFO")).items():
        found = facts(answer)
        _can_be_used(found, options)
        for risk in _risks(found, settings.get(address, {})):
            risks.setdefault(risk, []).append("{}:{}".format(*address))
    if options.cluster:
        risks = {Risk(risk.accept, f"on {_first_of(where)} {risk.words}"): where for risk, where in risks.items()}
    refused = [risk for risk in risks if risk.accept not in options.accept]
    if refused:
        words = ",".join(sorted({*options.accept, *(risk.accept for risk in refused)}))
        raise UnsafeStore(
            f"Redis at {options.where} may lose accepted runs: {'; '.join(risk.words for risk in refused)}. "
            f"If that is fine, say ?accept={words} in the URL",
            accept=words,
        )
    return list(risks)


def _first_of(nodes: Sequence[str]) -> str:
    return f"{nodes[0]} and {len(nodes) - 1} more" if len(nodes) > 1 else nodes[0]


def _can_be_used(found: dict[str, str], options: Options) -> None:
    version = found.get("redis_version", "0")
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < OLDEST:
        raise StoreError(f"Redis at {options.where} is version {version}; Shike needs 6.2 or later: upgrade it")
    if found.get("role") == "slave":
        primary = f"{found.get('master_host', '?')}:{found.get('master_port', '?')}"
        raise BadStoreURL(f"Redis at {options.where} is a read-only replica; name its primary, {primary}")
    if found.get("cluster_enabled") == "1" and not options.cluster:
        raise BadStoreURL(f"Redis at {options.where} is a node of a cluster; write redis+cluster://{options.where}/")


def _risks(found: dict[str, str], settings: dict[str, str]) -> list[Risk]:
    risks = []
    if found.get("aof_enabled") == "0":
        words = "it keeps no append-only file, so a crash takes all since its last snapshot (set `appendonly yes`)"
        risks.append(Risk(Accepted.NO_AOF, words))
    elif settings.get("appendfsync") == "no":
        words = "its append-only file is never forced to the disk, so a power loss takes half a minute"
        risks.append(Risk(Accepted.NO_FSYNC, f"{words} (set `appendfsync everysec`)"))
    elif settings.get("no-appendfsync-on-rewrite") == "yes":
        words = "its append-only file is not forced to the disk while it is rewritten: a power loss takes half a minute"
        risks.append(Risk(Accepted.NO_FSYNC, f"{words} (set `no-appendfsync-on-rewrite no`)"))
    policy = found.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        words = f"it drops keys when its memory is full ({policy}), also of runs (set `maxmemory-policy noeviction`)"
        risks.append(Risk(Accepted.EVICTION, words))
    return risks


async def _settings(server: Server, tags: Sequence[bytes]) -> dict[Address, dict[str, str]]:
    """How each forces its file to the disk. Hosted servers may not say."""
    try:
        answers = await server.each(tags, b"CONFIG", b"GET", b"*appendfsync*")
    except StoreUnavailable:
        raise
    except StoreError:
        return {}
    return {
        address: {name.decode(): value.decode() for name, value in zip(words[::2], words[1::2], strict=True)}
        for address, words in answers.items()
    }


Adopt: TypeAlias = Callable[[str], Awaitable[int]]


class Made(NamedTuple):
    """As what a store was made."""

    virtual_buckets: int
    slice_micros: int
    life: str  # no other store has the same, nor the one that is made where this one was lost


async def prepare(server: Server, tag: bytes, options: Options, wanted: int | None, adopt: Adopt) -> Made:
    """Make the store, or take it as it was made. Raises `StoreLost` where a node has come back without its part.

    `adopt` is told the life of a store that is being made, and says above which number its sessions begin.
    """
    buckets = wanted or options.virtual_buckets
    row = pack_bucket(Bucket(low=0, high=buckets - 1))
    life = SystemEntropy().token_hex(8)
    words = (FORMAT, buckets, options.slice_micros(buckets), row, life)
    *answer, is_made = await server.script("prepare", [tag], words)
    if None in answer:
        raise ForeignStore(f"{tag.decode()}:format is not what Shike wrote; name another namespace or database")
    made_as, kept, slice_micros = map(int, answer[:3])
    if made_as > FORMAT:
        raise ForeignStore(
            f"this store has format {made_as}, this program reads up to {FORMAT}: upgrade shike to use it"
        )
    if wanted not in (None, kept):
        raise BadSetting(f"this store was made with virtual_buckets={kept}, which cannot change to {wanted}")
    made = Made(kept, slice_micros, answer[3].decode())
    await _enliven(server, tag, made, is_made=is_made is not None)
    if is_made is None:
        if above := await adopt(made.life):
            await server.command(tag, b"SET", tag + b":session_number", above + SKIPPED, b"NX")
        await server.command(tag, b"HSET", tag + b":format", b"is_made", b"1")
    return made


async def _enliven(server: Server, home: bytes, made: Made, *, is_made: bool) -> None:
    """Each bucket knows the store's life. One that has forgotten it has forgotten its runs, too."""
    stem = home.rpartition(b":")[0]
    tags = [b"%s:%d}" % (stem, bucket) for bucket in range(made.virtual_buckets)]
    words = ("" if is_made else made.life,)
    if server.one_step:
        known = await server.script("enliven", tags, words)
    else:
        parts = await asyncio.gather(*[server.script("enliven", [tag], words) for tag in tags])
        known = [life for part in parts for life in part]
    lost = [bucket for bucket, life in enumerate(known) if (life or b"").partition(b" ")[0] != made.life.encode()]
    if lost:
        raise StoreLost(
            f"{len(lost):,} of {len(tags):,} buckets of this store are gone ({lost[0]} first): a server came back "
            "without them. Restore it from its own files, or make a new store in another namespace"
        )

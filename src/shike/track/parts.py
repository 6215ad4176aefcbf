"""What a run carries of being a part: written into its options on its way to the store. Pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from shike.model import Gang, Shard
from shike.store.guards import Entry
from shike.track.settle import options_of


def as_part(entry: Entry, shard: Shard | None, gang: Gang | None = None) -> Entry:
    """The same run, as this part of a whole, and as a member of this gang."""
    if shard is None and gang is None:
        return entry
    options = replace(options_of(entry.run.options), shard=shard, gang=gang)
    return replace(entry, run=replace(entry.run, options=msgspec.json.encode(options)))

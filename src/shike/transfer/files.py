"""Export a store to a file while it lives, and import it from there into an empty one."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from shike.errors import BadInput, StoreError
from shike.store.base import Store
from shike.store.opening import without_secrets
from shike.store.portable import Marker, Phase, Portable
from shike.store.records import Kind, Tally
from shike.transfer.archive import FORMAT, Archive, Ending, Header, Writer
from shike.transfer.copying import Progress, Tallies, differences, is_empty, nothing, pages, portable, tallied
from shike.transfer.underway import rescued


async def export_store(
    store: Store, path: Path, *, identity: str, program: str = "", progress: Progress = nothing
) -> tuple[Header, Tallies]:
    """Write all that the store holds to a file, while others go on. The file is there when it is whole.

    It shows what `Reader.words` says of this kind of store. What runs at that instant is marked: who imports the file
    repeats it, unless its task says otherwise. Raises `OSError` where the file cannot be written.
    """
    source = portable(store)
    async with source.snapshot() as reader:
        header = Header(
            format=FORMAT,
            id=identity,
            namespace=store.namespace,
            virtual_buckets=store.virtual_buckets,
            exported_at=await store.now(),
            snapshot=reader.words,
            program=program,
        )
        tallies: Tallies = {}
        with Writer(path, header) as writer:
            for kind in Kind:
                tally = tallies[kind] = Tally()
                async for page in pages(reader, kind):
                    tally.add(page)
                    writer.add(kind, page)
                    progress(kind, tally.count)
            writer.finish(Ending(tallies=tallies))
    return header, tallies


async def import_store(archive: Archive, store: Store, *, progress: Progress = nothing) -> Tallies:
    """Fill an empty store from a file, and compare. What was cut off goes on when it is repeated with the same file.

    Until it is done no session opens on that store. Raises `BadArchive` for a damaged file before anything is written,
    `BadInput` for a store that is in use, `StoreError` if what is there afterwards is not what the file says. What was
    under way when the file was written is begun again, or is over where its task says so (`on_unknown`).
    """
    target = portable(store)
    ending = archive.ending()
    if await _begun(target, archive.header):
        return ending.tallies
    wanted: Tallies = {kind: Tally() for kind in ending.tallies}
    for kind, page in rescued(archive.pages(), archive.header.exported_at):
        await target.load(kind, page)
        wanted.setdefault(kind, Tally()).add(page)
        progress(kind, wanted[kind].count)
    wrong = differences(wanted, await tallied(target, wanted))
    if wrong:
        raise StoreError(f"the store does not hold what the file says ({'; '.join(wrong)}); drop it and import anew")
    marker = await target.marker()
    assert marker is not None
    await target.restrict(replace(marker, phase=Phase.OPENED))
    return wanted


async def _begun(target: Portable, header: Header) -> bool:
    """Keep others out of the store. True: this file was imported before."""
    if header.virtual_buckets != target.virtual_buckets:
        raise BadInput(
            f"the file has {header.virtual_buckets} virtual buckets, the store {target.virtual_buckets}: make it anew "
            f"with ?virtual_buckets={header.virtual_buckets} in its URL"
        )
    marker = await target.marker()
    if marker is None:
        if not await is_empty(target):
            raise BadInput(f"{without_secrets(target.url)} is in use; import into a new store, or another namespace")
        marker = Marker(phase=Phase.LOADING, id=header.id, peer=f"export {header.id}", began_at=await target.now())
        await target.restrict(marker)
    elif marker.id != header.id:
        raise BadInput(f"{without_secrets(target.url)} holds what came from {marker.peer}; import into a new store")
    return marker.phase is Phase.OPENED

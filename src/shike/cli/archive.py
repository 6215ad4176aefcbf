"""`shike export` and `shike import`: a store in a file, and back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from shike.cli import output
from shike.cli.progress import Progress
from shike.cli.root import FINE
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.counted import counted
from shike.errors import BadInput


def export(file: Path, /, *, where: Where = ANYWHERE) -> int:
    """Write all that the store holds to FILE, while others go on.

    The file appears when it is whole, and replaces an older one. What runs at that instant is
    told as not begun: whoever imports the file repeats it.
    """
    from shike import __version__
    from shike.ids import SystemEntropy
    from shike.transfer.archive import Header
    from shike.transfer.copying import Tallies
    from shike.transfer.files import export_store

    async def work(desk: Desk) -> tuple[Header, Tallies]:
        with Progress(quiet=where.json) as progress:
            identity = SystemEntropy().token_hex(8)
            return await export_store(
                desk.store, file, identity=identity, program=f"shike {__version__}", progress=progress
            )

    try:
        header, tallies = at_desk(where, work)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error}") from error
    counts = {kind: tally.count for kind, tally in tallies.items() if tally.count}
    if where.json:
        output.as_json({"file": str(file), "header": header, "counts": counts})
    else:
        total = counted(sum(counts.values()), "record")
        print(f"{file}: {total}, {file.stat().st_size:,} bytes, as of {header.snapshot}")
    return FINE


def import_(file: Path, /, *, where: Where = ANYWHERE) -> int:
    """Fill an empty store from FILE, and compare. Cut off, it goes on when it is repeated.

    A damaged file is refused before anything of it is used.
    """
    from shike.clock import SystemClock
    from shike.settings import store_url
    from shike.store.opening import open_store
    from shike.transfer.archive import Archive
    from shike.transfer.copying import Tallies
    from shike.transfer.files import import_store

    try:
        archive = Archive(file)
        archive.ending()  # damage shows before a store is made for it
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error}") from error

    async def work() -> Tallies:
        loaded = where.settings()
        url = store_url(loaded)
        if url.startswith("memory:"):
            raise BadInput("memory:// ends with this command; import into another store (--store)")
        buckets = archive.header.virtual_buckets
        namespace = loaded.settings.namespace
        store = open_store(url, namespace=namespace, clock=SystemClock(), virtual_buckets=buckets)
        await store.open()
        try:
            with Progress(quiet=where.json) as progress:
                return await import_store(archive, store, progress=progress)
        finally:
            await store.close()

    counts = {kind: tally.count for kind, tally in asyncio.run(work()).items() if tally.count}
    if where.json:
        output.as_json({"file": str(file), "header": archive.header, "counts": counts})
    else:
        print(f"{counted(sum(counts.values()), 'record')} imported and compared")
    return FINE
